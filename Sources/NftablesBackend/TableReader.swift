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
        unsafe try ask(NFT_MSG_GETGEN, subject: "the ruleset's generation") { header in
            guard let object = unsafe nftnl_gen_alloc() else { return }
            defer { unsafe nftnl_gen_free(object) }
            guard unsafe nftnl_gen_nlmsg_parse(header, object) >= 0 else { return }
            generation = unsafe nftnl_gen_get_u32(object, UInt16(NFTNL_GEN_ID))
        }
        return generation
    }

    /// A table of ours; nil when there is none. The corresponding message is `NFT_MSG_GETTABLE`.
    func table(_ layout: TableLayout) throws(Failure) -> ObservedTable? {
        var table: ObservedTable?
        unsafe try ask(
            NFT_MSG_GETTABLE, family: layout.family, subject: "table \(layout.description)", missingIsEmpty: true,
            fill: { header in
                unsafe mnl_attr_put_strz(header, UInt16(NFTA_TABLE_NAME.rawValue), TableLayout.name)
            },
            receive: { header in
                guard let object = unsafe nftnl_table_alloc() else { return }
                defer { unsafe nftnl_table_free(object) }
                guard unsafe nftnl_table_nlmsg_parse(header, object) >= 0 else { return }
                let flags = unsafe nftnl_table_get_u32(object, UInt16(NFTNL_TABLE_FLAGS.rawValue))
                table = unsafe ObservedTable(
                    isDormant: flags & NFT_TABLE_F_DORMANT.rawValue != 0,
                    isOwned: flags & UInt32(NFT_TABLE_F_OWNER.rawValue) != 0,
                    useCount: nftnl_table_get_u32(object, UInt16(NFTNL_TABLE_USE.rawValue)),
                    owner: nftnl_table_is_set(object, UInt16(NFTNL_TABLE_OWNER.rawValue))
                        ? nftnl_table_get_u32(object, UInt16(NFTNL_TABLE_OWNER.rawValue)) : 0)
            })
        return table
    }

    /// Every chain of every table. The corresponding message is `NFT_MSG_GETCHAIN` with `NLM_F_DUMP`.
    func chains() throws(Failure) -> [ObservedChain] {
        var chains: [ObservedChain] = []
        unsafe try ask(NFT_MSG_GETCHAIN, flags: NLM_F_DUMP, subject: "the chains") { header in
            guard let object = unsafe nftnl_chain_alloc() else { return }
            defer { unsafe nftnl_chain_free(object) }
            guard unsafe nftnl_chain_nlmsg_parse(header, object) >= 0 else { return }
            chains.append(unsafe ObservedChain(object: object))
        }
        return chains
    }

    /// The number of sets, objects and flowtables in a table of ours. The corresponding messages are `NFT_MSG_GETSET`,
    /// `NFT_MSG_GETOBJ` and `NFT_MSG_GETFLOWTABLE` with `NLM_F_DUMP`.
    func strangers(_ layout: TableLayout) throws(Failure) -> Int {
        var count = 0
        // The table's name has the same attribute number in all three.
        for type in [NFT_MSG_GETSET, NFT_MSG_GETOBJ, NFT_MSG_GETFLOWTABLE] {
            unsafe try ask(
                type, family: layout.family, flags: NLM_F_DUMP,
                subject: "the sets and objects of \(layout.description)",
                missingIsEmpty: true,
                fill: { header in
                    unsafe mnl_attr_put_strz(header, UInt16(NFTA_SET_TABLE.rawValue), TableLayout.name)
                }, receive: { _ in count += 1 })
        }
        return count
    }

    /// The rules of a table of ours. The corresponding message is `NFT_MSG_GETRULE` with `NLM_F_DUMP`.
    func rules(_ layout: TableLayout) throws(Failure) -> [ObservedRule] {
        var rules: [ObservedRule] = []
        unsafe try ask(
            NFT_MSG_GETRULE, family: layout.family, flags: NLM_F_DUMP, subject: "the rules of \(layout.description)",
            missingIsEmpty: true,
            fill: { header in
                unsafe mnl_attr_put_strz(header, UInt16(NFTA_RULE_TABLE.rawValue), TableLayout.name)
            },
            receive: { header in
                guard let object = unsafe nftnl_rule_alloc() else { return }
                defer { unsafe nftnl_rule_free(object) }
                // An expression that libnftnl does not know spoils the whole message; the rule is there all the same.
                guard unsafe nftnl_rule_nlmsg_parse(header, object) >= 0 else {
                    rules.append(ObservedRule(chain: "", handle: 0, comment: nil, expressions: []))
                    return
                }
                let observed = unsafe ObservedRule(object: object)
                // Kernels before 4.20 ignore the table in the request.
                if unsafe string(nftnl_rule_get_str(object, UInt16(NFTNL_RULE_TABLE.rawValue))) == TableLayout.name {
                    rules.append(observed)
                }
            })
        return rules
    }

    /// Sends one request and reads its answer.
    ///
    /// - Parameter missingIsEmpty: ENOENT means that there is nothing, and is no failure.
    func ask(
        _ type: nf_tables_msg_types, family: UInt16 = 0, flags: CInt = NLM_F_ACK,
        subject: @escaping @autoclosure () -> String,
        missingIsEmpty: Bool = false, fill: (UnsafeMutablePointer<nlmsghdr>) -> Void = { _ in },
        receive: (UnsafePointer<nlmsghdr>) -> Void
    ) throws(Failure) {
        var request = RequestBuilder()
        unsafe request.append(type, family: family, flags: flags, subject: subject(), fill: fill)
        try socket.send(request.bytes)
        var answered = false
        var disturbed = false
        unsafe try socket.receiveAll { message throws(Failure) in
            switch unsafe message {
            case .object(_, let header): unsafe receive(header)
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
    fileprivate init(object: OpaquePointer) {
        unsafe self.init(
            tableFamily: UInt16(truncatingIfNeeded: nftnl_chain_get_u32(object, UInt16(NFTNL_CHAIN_FAMILY.rawValue))),
            table: string(nftnl_chain_get_str(object, UInt16(NFTNL_CHAIN_TABLE.rawValue))),
            name: string(nftnl_chain_get_str(object, UInt16(NFTNL_CHAIN_NAME.rawValue))),
            base: nftnl_chain_is_set(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue))
                ? (
                    type: string(nftnl_chain_get_str(object, UInt16(NFTNL_CHAIN_TYPE.rawValue))),
                    hook: nftnl_chain_get_u32(object, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue)),
                    priority: nftnl_chain_get_s32(object, UInt16(NFTNL_CHAIN_PRIO.rawValue))
                ) : nil,
            dropsByPolicy: nftnl_chain_is_set(object, UInt16(NFTNL_CHAIN_POLICY.rawValue))
                && Int32(bitPattern: nftnl_chain_get_u32(object, UInt16(NFTNL_CHAIN_POLICY.rawValue))) != NF_ACCEPT,
            useCount: nftnl_chain_get_u32(object, UInt16(NFTNL_CHAIN_USE.rawValue)))
    }
}

extension ObservedRule {
    /// Copies what is needed out of libnftnl's object.
    fileprivate init(object: OpaquePointer) {
        unsafe self.init(
            chain: string(nftnl_rule_get_str(object, UInt16(NFTNL_RULE_CHAIN.rawValue))),
            handle: nftnl_rule_get_u64(object, UInt16(NFTNL_RULE_HANDLE.rawValue)),
            comment: RuleComment.read(rule: object), expressions: ExpressionTransfer.read(rule: object))
    }
}

/// A C string of libnftnl's, or nothing.
func string(_ text: UnsafePointer<CChar>?) -> String {
    guard let text = unsafe text else { return "" }
    return unsafe String(cString: text)
}
