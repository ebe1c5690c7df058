// An error of any of the SDKs, as far as programs look at it.
export function told(error) {
  const { name, message, status, code, param, type, requestID, statusCode, isRetryable, responseBody } = error ?? {};
  const headers = error?.headers ?? error?.responseHeaders;
  return {
    class: error?.constructor?.name,
    name,
    message: message ?? String(error),
    status: status ?? statusCode,
    code,
    param,
    type,
    requestID,
    isRetryable,
    responseBody,
    headers: headers && Object.fromEntries(headers instanceof Headers ? headers : Object.entries(headers)),
    cause: error?.cause && told(error.cause),
    last: error?.lastError && told(error.lastError),
    stack: error?.stack,
  };
}
