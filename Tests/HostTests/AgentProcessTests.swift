import Testing

@testable import Host

@Suite("The agent's process")
struct AgentProcessTests {
    private static let table = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 0100007F:C9DF 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0
           1: 00000000:C9DE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
           2: 0100007F:C9DF 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000 20 4 30 10 -1
           3: C9DF 00000000:0000 0A
        x

        """

    @Test(
        "is found by the sockets that listen on its port", arguments: [(51679, ["4711"]), (51678, ["4712"]), (80, [])])
    func inodes(_ port: Int, _ expected: [String]) {
        #expect(ListeningSockets.inodes(port: UInt16(port), in: Array(Self.table.utf8)) == expected)
    }

    @Test(
        "has a start whatever it is called",
        arguments: [
            ("1 (agent) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9", 4242),
            ("1 (a ) b (c) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242", 4242), ("1 (a) S 0", nil), ("", nil),
        ])
    func start(_ text: String, _ ticks: Int?) { #expect(Host.startTicks(text) == ticks) }
}
