import Laboratory

extension Guest {
    /// Puts an ECS agent into the guest, as far as ecs-netsetup can tell, with a unit that is ordered as the real one's
    /// (amazon-ecs-init, `ecs.service`), and enables it.
    package func installAgent() throws {
        try installAgentProgram()
        try write("/etc/systemd/system/ecs.service", Self.unit)
        try prepare("mkdir -p /etc/ecs; systemctl enable ecs.service 2>&1")
    }

    /// Puts only its program there.
    package func installAgentProgram() throws { try write(Self.agentProgram, Self.agent, mode: "755") }

    /// A program of Python's.
    package static let agentProgram = "/usr/local/lib/stub-agent/agent"

    private static let unit = """
        [Unit]
        Description=Stand-in for the Amazon ECS agent
        Requires=docker.service
        After=docker.service cloud-final.service

        [Service]
        ExecStart=\(agentProgram)

        [Install]
        WantedBy=multi-user.target

        """

    /// The same answers as `StubAgent`'s.
    private static let agent = """
        #!/usr/bin/python3
        import http.server
        import socketserver
        import threading


        # Not http.server's, which first asks the network for its own name.
        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True


        def server(address, port, status, pages, other):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    body = pages.get(self.path, other).encode()
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *_):
                    pass

            return Server((address, port), Handler)


        credentials = '''\(StubAgent.noIdentifier)'''
        commands = '''\(StubAgent.commands)'''
        metadata = '''\(StubAgent.metadata(StubAgent.version))'''
        servers = [
            server("127.0.0.1", \(Laboratory.agentPort), 400, {}, credentials),
            server("0.0.0.0", \(Laboratory.introspectionPort), 200, {"/v1/metadata": metadata}, commands),
        ]
        threading.Thread(target=servers[1].serve_forever, daemon=True).start()
        servers[0].serve_forever()

        """
}
