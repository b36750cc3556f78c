/// The server of `Peer.asyncSSH`, for Python 3 and AsyncSSH 2.10 and later. Its only argument is a file of settings.
let asyncSSHServer = #"""
    import asyncio, json, os, sys, asyncssh
    from asyncssh.connection import SSHServerConnection

    with open(sys.argv[1]) as file:
        settings = json.load(file)


    authorized = asyncssh.read_public_key_list(settings["authorized_keys"])


    def log(*words):
        print(*words, file=sys.stderr, flush=True)


    class Server(asyncssh.SSHServer):
        """Takes a client through the steps of the settings."""

        def __init__(self):
            self.done = 0
            self.round = 0

        @property
        def step(self):
            return settings["steps"][self.done]

        def connection_made(self, connection):
            self.connection = connection

        def connection_lost(self, error):
            log("connection ended:", error)

        def begin_auth(self, username):
            if settings["banner"]:
                self.connection.send_auth_banner(settings["banner"])
            return bool(settings["steps"])

        def wants(self, method):
            return self.step["method"] == method

        def public_key_auth_supported(self):
            return self.wants("publickey")

        def validate_public_key(self, username, key):
            return any(key.public_data == known.public_data for known in authorized)

        def password_auth_supported(self):
            return self.wants("password")

        def kbdint_auth_supported(self):
            return self.wants("keyboard-interactive")

        def validate_password(self, username, password):
            is_right = password == self.step["password"]
            if is_right and "new" in self.step:
                raise asyncssh.PasswordChangeRequired("Your password has expired.")
            return is_right

        def change_password(self, username, old, new):
            log("password change")
            return old == self.step["password"] and new == self.step["new"]

        def challenge(self):
            one = self.step["rounds"][self.round]
            return one["title"], one["instruction"], "", [(text, echo) for text, echo, _ in one["questions"]]

        def get_kbdint_challenge(self, username, lang, submethods):
            self.round = 0
            return self.challenge()

        def validate_kbdint_response(self, username, responses):
            log("answers in round", self.round, "number", len(responses))
            wanted = [answer for _, _, answer in self.step["rounds"][self.round]["questions"]]
            if list(responses) != wanted:
                return False
            self.round += 1
            return True if self.round == len(self.step["rounds"]) else self.challenge()


    # AsyncSSH knows one method for each log-in; a success before the last step becomes a partial one here.
    let_in = SSHServerConnection.send_userauth_success


    def send_userauth_success(self):
        server = self._owner
        log("step done:", server.step["method"] if settings["steps"] else "none")
        if server.done + 1 < len(settings["steps"]):
            server.done += 1
            self.send_userauth_failure(True)
        else:
            let_in(self)


    SSHServerConnection.send_userauth_success = send_userauth_success


    async def copy(source, target, is_pipe):
        try:
            while True:
                data = await source.read(65536)
                if not data:
                    break
                target.write(data)
                await target.drain()
            if is_pipe:
                target.close()
        except (OSError, asyncssh.Error):
            pass


    async def run(process):
        environment = dict(os.environ)
        agent = process.channel.get_agent_path()
        environment.pop("SSH_AUTH_SOCK", None)
        if agent:
            environment["SSH_AUTH_SOCK"] = agent
        log("command:", process.command)
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", process.command or b"exit 1", stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        input = asyncio.ensure_future(copy(process.stdin, child.stdin, True))
        await asyncio.gather(copy(child.stdout, process.stdout, False), copy(child.stderr, process.stderr, False))
        status = await child.wait()
        input.cancel()
        process.exit(status)


    async def main():
        names = [
            "kex_algs", "encryption_algs", "mac_algs", "compression_algs", "signature_algs", "rekey_bytes", "server_version"]
        chosen = {name: settings[name] for name in names if settings[name] is not None}
        await asyncssh.listen(
            settings["address"], settings["port"], server_factory=Server, process_factory=run, sftp_factory=True,
            server_host_keys=settings["host_keys"], encoding=None, allow_scp=False, login_timeout=0, **chosen)
        log("asyncssh is listening")
        await asyncio.Event().wait()


    asyncio.run(main())
    """#
