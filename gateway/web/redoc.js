Redoc.init("openapi.yaml", { hideDownloadButton: false, nativeScrollbars: true }, document.getElementById("redoc"));
