"""What is promised of: cli."""

from __future__ import annotations

from tests.promises import Promise

CLI: dict[str, Promise] = {
    "CLI-original-config": Promise(
        "design §5.2", "A settings file of the original codex-gateway loads unchanged; its blanks mean the defaults."
    ),
    "CLI-environment": Promise(
        "design §5.2", "Every setting can be set in the environment, which wins over the file; lists and maps too."
    ),
    "CLI-every-mistake": Promise(
        "design §5.2",
        "Wrong settings are told all at once: place, expectation, finding, nearest known key, never a secret.",
    ),
    "CLI-example-config": Promise(
        "design §5.2", "config.example.yaml names every setting with its default and a comment."
    ),
    "CLI-workdir": Promise(
        "design §5.1",
        "The work directory is --workdir, else CODEX_GATEWAY_HOME, else a current directory with config.yaml, else the "
        "platform's; every command prints which.",
    ),
    "CLI-exit-codes": Promise("design §5.1", "0 is done, 1 failed with a reason on standard error, 2 wrong usage."),
    "CLI-config-init": Promise(
        "design §5.1", "`config init` writes a private file with a new random key and overwrites only with --force."
    ),
    "CLI-config-show": Promise(
        "design §5.1", "`config show` prints what holds and where it is from, without any secret."
    ),
    "CLI-open-door": Promise(
        "design §5.5", "A public listen address without a key is refused at the start, with the lines that fix it."
    ),
    "CLI-busy-port": Promise("design §5.1", "A busy port ends the start with its name and a free address."),
    "CLI-unix-socket": Promise(
        "design §5.1", "Only the socket of a dead process is removed from a listen path; anything else stays untouched."
    ),
    "CLI-banner": Promise(
        "design §5.1",
        "The banner holds a curl line that streams when pasted and the two exports; the key itself only at a terminal.",
    ),
    "CLI-demo": Promise("design §5.1", "Simulated answers come only with --demo, and the banner says so."),
    "CLI-no-login": Promise("design §5.1", "Without a login `serve` starts and says how to log in."),
    "CLI-drain": Promise("design §6", "SIGTERM lets open requests finish, and the exit code is 0."),
    "CLI-notify": Promise("design §5.1", "systemd is told READY=1 and STOPPING=1, with one worker and with several."),
    "CLI-workers": Promise("design §5.1", "Several workers share every listen address."),
    "CLI-service": Promise(
        "design §5.1", "`service` writes a hardened unit that quotes any path, starts it, and takes it back."
    ),
    "CLI-doctor": Promise(
        "design §5.1",
        "`doctor` finds what is wrong with settings, files, login, address, clock and network, and says what to do.",
    ),
    "CLI-models": Promise("design §5.1", "`models` lists what the running gateway offers, or says that none runs."),
}
