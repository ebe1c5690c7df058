"""The ChatGPT login: getting it, keeping it in one file, refreshing it, giving it back.

Holds: browser and device login, import, the token file and its lock, refresh, revocation, and the rule which hosts a
token may be sent to. Never holds: calls to the model API, or anything about clients. Imported by `upstreams` and `cli`.

hosts      which addresses may receive a token
claims     what the tokens say about account, plan and expiry
token      one login, and its form on disk
file       the token file: atomic writes, the mark of a failed refresh
lock       the lock between processes
failures   what an answer of the token endpoint means
endpoint   calls to the token and revocation endpoints
login      the end of every login: exchange, check, save; logout
browser    login with a browser · callback: the local server it returns to
device     login with a code typed on another machine
foreign    files of other programs
status     what `auth status` and the status page show
source     TokenSource: the credentials of the next request
"""
