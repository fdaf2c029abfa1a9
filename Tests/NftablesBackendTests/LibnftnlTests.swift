import CLibmnl
import CLibnftnl
import Model
import Testing

@testable import NftablesBackend

@Suite("Expressions on their way through libnftnl")
struct LibnftnlTests {
    @Test("a rule of the catalogue stays the same, comment included", arguments: PlacedRule.all)
    func roundTrip(_ placed: PlacedRule) throws {
        let message = try Message(placed).bytes
        let read = try #require(ParsedRule(message: message))
        #expect(read.chain == placed.rule.place.rawValue)
        #expect(read.comment == placed.rule.comment)
        #expect(read.expressions == placed.expressions)
        #expect(read.decoded(in: placed.layout)?.content == .rule(placed.rule))
    }

    @Test("a rule takes less room than a message has", arguments: PlacedRule.all)
    func fits(_ placed: PlacedRule) throws {
        #expect(try Message(placed).bytes.count <= 1024)
    }

    @Test("no object is made of an unknown expression")
    func unknown() {
        let isMade = if ExpressionTransfer.make(.unknown("limit")) != nil { true } else { false }
        #expect(!isMade)
    }

    private static let nat = Expression.nat(
        type: NFT_NAT_DNAT.rawValue, family: 2, address: 1, port: 2, flags: ExpressionCodec.natFlags)

    @Test("what the kernel adds to a nat expression changes nothing")
    func normalisedNat() throws {
        let plain = try single(Self.nat)
        let added = try single(Self.nat) { nat in
            nftnl_expr_set_u32(nat, UInt16(NFTNL_EXPR_NAT_REG_ADDR_MAX), 1)
            nftnl_expr_set_u32(nat, UInt16(NFTNL_EXPR_NAT_REG_PROTO_MAX), 2)
            nftnl_expr_set_u32(nat, UInt16(NFTNL_EXPR_NAT_FLAGS), ExpressionCodec.natFlags)
        }
        #expect(plain == Self.nat)
        #expect(added == Self.nat)
    }

    @Test("a nat expression with a range or with more flags is another")
    func otherNat() throws {
        for (attribute, register) in [(NFTNL_EXPR_NAT_REG_ADDR_MAX, 3), (NFTNL_EXPR_NAT_REG_PROTO_MAX, 1)] {
            let range = try single(Self.nat) { nftnl_expr_set_u32($0, UInt16(attribute), UInt32(register)) }
            #expect(range == .unknown("nat"))
        }
        let random = try single(Self.nat) { nat in
            nftnl_expr_set_u32(nat, UInt16(NFTNL_EXPR_NAT_FLAGS), UInt32(NF_NAT_RANGE_PROTO_RANDOM))
        }
        #expect(random != Self.nat)
    }

    private static let redirect = Expression.redirect(port: 1, flags: ExpressionCodec.redirectFlags)

    @Test("what the kernel adds to a redir expression changes nothing, a range does")
    func redirect() throws {
        let added = try single(Self.redirect) { redirect in
            nftnl_expr_set_u32(redirect, UInt16(NFTNL_EXPR_REDIR_REG_PROTO_MAX), 1)
            nftnl_expr_set_u32(redirect, UInt16(NFTNL_EXPR_REDIR_FLAGS), ExpressionCodec.redirectFlags)
        }
        #expect(added == Self.redirect)
        let range = try single(Self.redirect) { nftnl_expr_set_u32($0, UInt16(NFTNL_EXPR_REDIR_REG_PROTO_MAX), 2) }
        #expect(range == .unknown("redir"))
    }

    /// libnftnl's own expressions that this program never writes.
    @Test("other expressions are unknown by their names", arguments: ["limit", "log", "lookup", "masq", "queue"])
    func others(_ name: String) throws {
        let object = try #require(nftnl_expr_alloc(name))
        #expect(try single(object) == .unknown(name))
    }

    @Test("a jump is no verdict of ours")
    func jump() throws {
        let object = try #require(nftnl_expr_alloc("immediate"))
        nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_IMM_DREG), NFT_REG_VERDICT.rawValue)
        nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_IMM_VERDICT), UInt32(bitPattern: NFT_JUMP.rawValue))
        nftnl_expr_set_str(object, UInt16(NFTNL_EXPR_IMM_CHAIN), "elsewhere")
        #expect(try single(object) == .unknown("jump"))
    }

    @Test("a meta expression that sets something is no load")
    func metaSet() throws {
        let object = try #require(nftnl_expr_alloc("meta"))
        nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_META_KEY), NFT_META_MARK.rawValue)
        nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_META_SREG), 1)
        #expect(try single(object) == .unknown("meta"))
    }

    @Test("a state of one direction is no state of the connection")
    func direction() throws {
        let object = try #require(nftnl_expr_alloc("ct"))
        nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_CT_KEY), NFT_CT_BYTES.rawValue)
        nftnl_expr_set_u32(object, UInt16(NFTNL_EXPR_CT_DREG), 1)
        nftnl_expr_set_u8(object, UInt16(NFTNL_EXPR_CT_DIR), 1)
        #expect(try single(object) == .unknown("ct"))
    }

    /// One expression as it is read back from a rule, after `change` was made to libnftnl's object.
    private func single(_ expression: Expression, _ change: (OpaquePointer) -> Void = { _ in }) throws -> Expression? {
        guard let made = ExpressionTransfer.make(expression) else { return nil }
        let object = made.handOver()
        change(object)
        return try single(object)
    }

    private func single(_ object: OpaquePointer) throws -> Expression? {
        guard let rule = RuleObject() else { throw NoMemory() }
        rule.add(NewExpression(taking: object))
        return rule.map { ExpressionTransfer.read($0) }.first
    }
}

private struct NoMemory: Error {}

/// A rule as the netlink message that creates it.
private struct Message {
    let bytes: [UInt8]

    init(_ placed: PlacedRule) throws {
        guard let rule = RuleObject() else { throw NoMemory() }
        rule.set(NFTNL_RULE_TABLE, TableLayout.name)
        rule.set(NFTNL_RULE_CHAIN, placed.rule.place.rawValue)
        rule.setUserData(RuleComment.encode(try #require(placed.rule.comment)))
        for expression in placed.expressions {
            guard let part = ExpressionTransfer.make(expression) else { throw NoMemory() }
            rule.add(part)
        }
        var request = RequestBuilder()
        request.append(NFT_MSG_NEWRULE, family: placed.layout.family, flags: 0, subject: "a rule") { message in
            rule.write(to: message)
        }
        bytes = request.bytes
    }
}
