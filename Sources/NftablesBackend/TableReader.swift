import CLibmnl
import CLibnftnl
import Glibc
import Model

/// A rule as the kernel holds it, decoded as far as libnftnl does.
struct ObservedRule {
    let chain: String
    /// The number by which nft names the rule.
    let handle: UInt64
    let comment: String?
    let expressions: [Expression]
}

/// Reads through one netlink socket. Every function is one request.
struct TableReader: ~Copyable {
    private let socket: NetlinkSocket

    init() throws(Failure) { socket = try NetlinkSocket() }

    /// The generation of the ruleset. The corresponding message is `NFT_MSG_GETGEN`.
    func generation() throws(Failure) -> UInt32 {
        var generation: UInt32 = 0
        try ask(NFT_MSG_GETGEN, subject: "the ruleset's generation") { message in
            if let number = Generation.number(message) { generation = number }
        }
        return generation
    }

    /// A table of ours; nil when there is none. The corresponding message is `NFT_MSG_GETTABLE`.
    func table(_ layout: TableLayout) throws(Failure) -> ObservedTable? {
        var table: ObservedTable?
        try ask(
            NFT_MSG_GETTABLE, family: layout.family, subject: "table \(layout.description)", missingIsEmpty: true,
            fill: { $0.put(NFTA_TABLE_NAME.rawValue, TableLayout.name) },
            receive: { message in
                guard let object = TableObject(message) else { return }
                let flags = object.number(NFTNL_TABLE_FLAGS)
                table = ObservedTable(
                    isDormant: flags & NFT_TABLE_F_DORMANT.rawValue != 0,
                    isOwned: flags & UInt32(NFT_TABLE_F_OWNER.rawValue) != 0,
                    useCount: object.number(NFTNL_TABLE_USE), owner: object.number(NFTNL_TABLE_OWNER))
            })
        return table
    }

    /// Every chain of every table. The corresponding message is `NFT_MSG_GETCHAIN` with `NLM_F_DUMP`.
    func chains() throws(Failure) -> [ObservedChain] {
        var chains: [ObservedChain] = []
        try ask(NFT_MSG_GETCHAIN, flags: NLM_F_DUMP, subject: "the chains") { message in
            if let object = ChainObject(message) { chains.append(ObservedChain(object)) }
        }
        return chains
    }

    /// The number of sets, objects and flowtables in a table of ours. The corresponding messages are `NFT_MSG_GETSET`,
    /// `NFT_MSG_GETOBJ` and `NFT_MSG_GETFLOWTABLE` with `NLM_F_DUMP`.
    func strangers(_ layout: TableLayout) throws(Failure) -> Int {
        var count = 0
        // The table's name has the same attribute number in all three.
        for type in [NFT_MSG_GETSET, NFT_MSG_GETOBJ, NFT_MSG_GETFLOWTABLE] {
            try ask(
                type, family: layout.family, flags: NLM_F_DUMP,
                subject: "the sets and objects of \(layout.description)",
                missingIsEmpty: true,
                fill: { $0.put(NFTA_SET_TABLE.rawValue, TableLayout.name) }, receive: { _ in count += 1 })
        }
        return count
    }

    /// The rules of a table of ours. The corresponding message is `NFT_MSG_GETRULE` with `NLM_F_DUMP`.
    func rules(_ layout: TableLayout) throws(Failure) -> [ObservedRule] {
        var rules: [ObservedRule] = []
        try ask(
            NFT_MSG_GETRULE, family: layout.family, flags: NLM_F_DUMP, subject: "the rules of \(layout.description)",
            missingIsEmpty: true,
            fill: { $0.put(NFTA_RULE_TABLE.rawValue, TableLayout.name) },
            receive: { message in
                // An expression that libnftnl does not know spoils the whole message; the rule is there all the same.
                guard let object = RuleObject(message) else {
                    rules.append(ObservedRule(chain: "", handle: 0, comment: nil, expressions: []))
                    return
                }
                // Kernels before 4.20 ignore the table in the request.
                if object.text(NFTNL_RULE_TABLE) == TableLayout.name { rules.append(ObservedRule(object)) }
            })
        return rules
    }

    /// Sends one request and reads its answer.
    ///
    /// - Parameter missingIsEmpty: ENOENT means that there is nothing, and is no failure.
    func ask(
        _ type: nf_tables_msg_types, family: UInt16 = 0, flags: CInt = NLM_F_ACK,
        subject: @escaping @autoclosure () -> String,
        missingIsEmpty: Bool = false, fill: (borrowing MessageWriter) -> Void = { _ in },
        receive: (borrowing ReceivedMessage) -> Void
    ) throws(Failure) {
        var request = RequestBuilder()
        request.append(type, family: family, flags: flags, subject: subject(), fill: fill)
        try socket.send(request.bytes)
        var answered = false
        var disturbed = false
        try socket.receiveAll { answer, message throws(Failure) in
            switch answer {
            case .object: receive(message)
            case .done: answered = true
            case .interrupted: disturbed = true
            case .result(_, let number):
                answered = true
                if number == 0 || number == ENOENT && missingIsEmpty { return }
                throw .system(
                    "cannot read \(subject()) from nf_tables", source: "netlink", errno: number,
                    // nfnetlink answers EINVAL when nobody has registered nf_tables.
                    kind: type == NFT_MSG_GETGEN && (number == EINVAL || number == EOPNOTSUPP)
                        ? .unsupported : .trouble)
            }
        }
        if disturbed {
            throw Failure(.concurrentChange, "the rules of nf_tables changed while they were read")
        }
        if !answered {
            throw Failure(.outcomeUnknown, "nf_tables did not answer when asked for \(subject())")
        }
    }
}

extension ObservedChain {
    /// Copies what is needed out of libnftnl's object.
    fileprivate init(_ object: borrowing ChainObject) {
        self.init(
            tableFamily: UInt16(truncatingIfNeeded: object.number(NFTNL_CHAIN_FAMILY)),
            table: object.text(NFTNL_CHAIN_TABLE), name: object.text(NFTNL_CHAIN_NAME),
            base: object.has(NFTNL_CHAIN_HOOKNUM)
                ? (
                    type: object.text(NFTNL_CHAIN_TYPE), hook: object.number(NFTNL_CHAIN_HOOKNUM),
                    priority: Int32(bitPattern: object.number(NFTNL_CHAIN_PRIO))
                ) : nil,
            dropsByPolicy: object.has(NFTNL_CHAIN_POLICY)
                && Int32(bitPattern: object.number(NFTNL_CHAIN_POLICY)) != NF_ACCEPT,
            useCount: object.number(NFTNL_CHAIN_USE))
    }
}

extension ObservedRule {
    /// Copies what is needed out of libnftnl's object.
    fileprivate init(_ object: borrowing RuleObject) {
        self.init(
            chain: object.text(NFTNL_RULE_CHAIN), handle: object.handle,
            comment: object.userData.flatMap(RuleComment.decode),
            expressions: object.map { ExpressionTransfer.read($0) })
    }
}
