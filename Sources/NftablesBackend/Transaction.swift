import CLibmnl
import CLibnftnl
import Glibc
import Model

/// One atomic batch of nf_tables.
struct Transaction {
    private var request = RequestBuilder()

    /// A batch that fails with ERESTART unless the ruleset is still of this generation.
    init(generation: UInt32) { request.beginBatch(generation: generation) }

    /// Deletes a table with everything in it.
    mutating func deleteTable(_ layout: TableLayout) {
        appendTable(NFT_MSG_DELTABLE, layout, flags: 0, subject: "delete table \(layout.description)")
    }

    /// Creates a table with its chains and rules.
    mutating func createTable(_ layout: TableLayout, rules: [Rule]) throws(Failure) {
        appendTable(NFT_MSG_NEWTABLE, layout, flags: NLM_F_CREATE, subject: "create table \(layout.description)")
        for chain in layout.chains(for: rules) { createChain(chain, in: layout) }
        for rule in rules { try createRule(rule, in: layout) }
    }

    /// Sends the batch and reads every answer.
    ///
    /// - Throws: `Failure`: the first error in the order of the messages; nothing was changed then, unless its
    ///   kind is `.outcomeUnknown`.
    consuming func commit() throws(Failure) {
        request.endBatch()
        let socket = try NetlinkSocket()
        socket.makeRoom(answers: request.subjects.count)
        try socket.send(request.bytes)
        var acknowledged = 0
        var first: (sequence: UInt32, errno: CInt)?
        do throws(Failure) {
            try socket.receiveAll { answer, _ throws(Failure) in
                guard case .result(let sequence, let number) = answer else { return }
                if number == 0 {
                    acknowledged += 1
                } else if first.map({ sequence < $0.sequence }) ?? true {
                    first = (sequence, number)
                }
            }
        } catch {
            // The batch is with the kernel: whatever keeps the answer from us, it may have been carried out.
            throw error.with(kind: .outcomeUnknown)
        }
        if let first { throw failure(sequence: first.sequence, errno: first.errno) }
        if acknowledged < request.subjects.count {
            throw Failure(
                .outcomeUnknown,
                "nf_tables acknowledged \(acknowledged) of \(request.subjects.count) messages")
        }
    }

    /// The failure for an error number; sequence 0 is the batch as a whole.
    private func failure(sequence: UInt32, errno number: CInt) -> Failure {
        let index = Int(sequence) - 1
        let subject = request.subjects.indices.contains(index) ? request.subjects[index]() : "change the ruleset"
        // EBUSY: a table or chain is still held by somebody's transaction.
        let isConcurrent = number == ERESTART || number == EBUSY || number == EAGAIN
        return .system(
            "cannot \(subject)", source: "netlink", errno: number, kind: isConcurrent ? .concurrentChange : .trouble)
    }

    private mutating func appendTable(
        _ type: nf_tables_msg_types, _ layout: TableLayout, flags: CInt, subject: @escaping @autoclosure () -> String
    ) {
        request.append(type, family: layout.family, flags: flags | NLM_F_ACK, subject: subject()) { message in
            message.put(NFTA_TABLE_NAME.rawValue, TableLayout.name)
        }
    }

    private mutating func createChain(_ chain: BaseChain, in layout: TableLayout) {
        request.append(
            NFT_MSG_NEWCHAIN, family: layout.family, flags: NLM_F_CREATE | NLM_F_ACK,
            subject: "create chain \(layout.description) \(chain.name)"
        ) { message in
            guard let object = ChainObject() else { return }
            object.set(NFTNL_CHAIN_TABLE, TableLayout.name)
            object.set(NFTNL_CHAIN_NAME, chain.name)
            object.set(NFTNL_CHAIN_TYPE, chain.type)
            object.set(NFTNL_CHAIN_HOOKNUM, chain.hook.number)
            object.set(NFTNL_CHAIN_PRIO, UInt32(bitPattern: chain.priority))
            object.set(NFTNL_CHAIN_POLICY, UInt32(NF_ACCEPT))
            object.write(to: message)
        }
    }

    private mutating func createRule(_ rule: Rule, in layout: TableLayout) throws(Failure) {
        var made = false
        request.append(
            NFT_MSG_NEWRULE, family: layout.family, flags: NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK,
            subject: "create rule \"\(rule.title)\" in \(layout.description) \(rule.place.rawValue)"
        ) { message in
            guard let object = RuleObject() else { return }
            object.set(NFTNL_RULE_TABLE, TableLayout.name)
            object.set(NFTNL_RULE_CHAIN, rule.place.rawValue)
            if let comment = rule.comment { object.setUserData(RuleComment.encode(comment)) }
            for expression in ExpressionCodec.encode(rule, in: layout) {
                guard let part = ExpressionTransfer.make(expression) else { return }
                object.add(part)
            }
            object.write(to: message)
            made = true
        }
        if !made { throw .system("cannot create rule \"\(rule.title)\"", source: "nftnl_expr_alloc", errno: ENOMEM) }
    }
}
