import CLibnftnl
import Model

/// One expression of somebody else's rule, as far as a packet's way depends on it.
enum ForeignExpression {
    /// One of those that rules of ours use.
    case known(Expression)
    /// `NFT_JUMP` or `NFT_GOTO`.
    case jump(String, isGoto: Bool)
    /// Looks a register up in a set, or in a map of verdicts.
    case lookup(set: String, register: UInt32, isMap: Bool, isNegated: Bool)
    /// Whether a register is between two values (`NFT_RANGE_*`).
    case range(register: UInt32, from: [UInt8], to: [UInt8], isNegated: Bool)
    /// The kind of route to the destination (`fib daddr type`).
    case destinationType(register: UInt32)
    /// Rewrites the destination of packets of a family, or of all where it is none; the registers hold the address and
    /// the port, 0 for none.
    case rewriteDestination(family: UInt32, address: UInt32, port: UInt32)
    /// Adds to a set, or takes from it; whether the rule goes on is not known.
    case updates(set: String)
    case match(XtablesExtension)
    case target(XtablesExtension)
    case setMark
    /// Counts, logs, or sets something that no condition here asks for.
    case harmless
    /// Whether the rule goes on depends on something that is not known.
    case condition(String)
    /// Loads something that is not known into a register.
    case load(String)
    /// What becomes of the packet is not known.
    case unknown(String)
}

extension ForeignExpression {
    /// Reads an expression of libnftnl's.
    init(_ object: borrowing ReadExpression) {
        let expression = ExpressionTransfer.read(object)
        switch expression {
        case .meta, .payload, .connection, .bitwise, .compare, .immediate, .verdict, .redirect, .reject, .counter:
            self = .known(expression)
        case .nat(NFT_NAT_DNAT.rawValue, let family, let address, let port, _):
            self = .rewriteDestination(family: family, address: address, port: port)
        case .nat: self = .harmless
        case .unknown(let name): self = Self.read(object, name)
        }
    }

    private static func read(_ object: borrowing ReadExpression, _ name: String) -> ForeignExpression {
        switch name {
        case "jump":
            .jump(
                object.text(NFTNL_EXPR_IMM_CHAIN),
                isGoto: Int32(bitPattern: object.number(NFTNL_EXPR_IMM_VERDICT)) == NFT_GOTO.rawValue)
        case "lookup":
            .lookup(
                set: object.text(NFTNL_EXPR_LOOKUP_SET), register: object.number(NFTNL_EXPR_LOOKUP_SREG),
                isMap: object.has(NFTNL_EXPR_LOOKUP_DREG),
                isNegated: object.number(NFTNL_EXPR_LOOKUP_FLAGS) & UInt32(NFT_LOOKUP_F_INV.rawValue) != 0)
        case "range":
            .range(
                register: object.number(NFTNL_EXPR_RANGE_SREG), from: object.bytes(NFTNL_EXPR_RANGE_FROM_DATA),
                to: object.bytes(NFTNL_EXPR_RANGE_TO_DATA),
                isNegated: object.number(NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ.rawValue)
        case "fib": fib(object)
        case "nat": nat(object)
        case "redir": .rewriteDestination(family: 0, address: 0, port: object.number(NFTNL_EXPR_REDIR_REG_PROTO_MIN))
        case "match":
            .match(
                XtablesExtension(
                    name: object.text(NFTNL_EXPR_MT_NAME),
                    revision: UInt8(truncatingIfNeeded: object.number(NFTNL_EXPR_MT_REV)),
                    data: object.bytes(NFTNL_EXPR_MT_INFO)))
        case "target":
            .target(
                XtablesExtension(
                    name: object.text(NFTNL_EXPR_TG_NAME),
                    revision: UInt8(truncatingIfNeeded: object.number(NFTNL_EXPR_TG_REV)),
                    data: object.bytes(NFTNL_EXPR_TG_INFO)))
        case "meta": object.number(NFTNL_EXPR_META_KEY) == NFT_META_MARK.rawValue ? .setMark : .harmless
        case "ct": object.has(NFTNL_EXPR_CT_DREG) ? .load("ct of a direction") : connection(object)
        case "log", "masq", "last", "flow_offload", "counter": .harmless
        case "objref": reference(object)
        case "dynset": .updates(set: object.text(NFTNL_EXPR_DYNSET_SET_NAME))
        case "limit", "quota", "connlimit": .condition(name)
        case "payload" where object.has(NFTNL_EXPR_PAYLOAD_SREG): rewrites(object) ? .unknown("payload set") : .harmless
        // A copy goes past the rules that are ahead of this packet.
        case "dup", "notrack", "queue", "tproxy", "synproxy", "fwd": .unknown(name)
        default: .load(name)
        }
    }

    /// What an object with a name does: some let the rule go on, quotas and limits may end it, and others, such as
    /// `NFT_OBJECT_SYNPROXY`, take the packet (`linux/netfilter/nf_tables.h`).
    private static func reference(_ object: borrowing ReadExpression) -> ForeignExpression {
        switch Int32(bitPattern: object.number(NFTNL_EXPR_OBJREF_IMM_TYPE)) {
        case NFT_OBJECT_COUNTER, NFT_OBJECT_CT_HELPER, NFT_OBJECT_CT_TIMEOUT, NFT_OBJECT_CT_EXPECT, NFT_OBJECT_SECMARK:
            .harmless
        case NFT_OBJECT_QUOTA, NFT_OBJECT_LIMIT, NFT_OBJECT_CONNLIMIT: .condition("objref")
        default: .unknown("objref")
        }
    }

    /// Whether a write into the packet can change what is asked for here. The first bytes of the network header, such as
    /// DSCP and TTL, cannot: addresses begin at 12 (RFC 791) or 8 (RFC 8200), the hop limit before that is at 7.
    private static func rewrites(_ object: borrowing ReadExpression) -> Bool {
        let base = object.number(NFTNL_EXPR_PAYLOAD_BASE)
        let (offset, length) = (object.number(NFTNL_EXPR_PAYLOAD_OFFSET), object.number(NFTNL_EXPR_PAYLOAD_LEN))
        // With the byte behind the TTL, as checksums need words.
        return base != NFT_PAYLOAD_NETWORK_HEADER.rawValue || offset > 8 || length > 2
    }

    /// `NFTA_FIB_F_DADDR` alone, and the type as the result; the rest is about routes.
    private static func fib(_ object: borrowing ReadExpression) -> ForeignExpression {
        guard object.number(NFTNL_EXPR_FIB_RESULT) == NFT_FIB_RESULT_ADDRTYPE.rawValue,
            object.number(NFTNL_EXPR_FIB_FLAGS) == NFTA_FIB_F_DADDR.rawValue
        else { return .load("fib") }
        return .destinationType(register: object.number(NFTNL_EXPR_FIB_DREG))
    }

    private static func nat(_ object: borrowing ReadExpression) -> ForeignExpression {
        guard object.number(NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT.rawValue else { return .harmless }
        return .rewriteDestination(
            family: object.number(NFTNL_EXPR_NAT_FAMILY), address: object.number(NFTNL_EXPR_NAT_REG_ADDR_MIN),
            port: object.number(NFTNL_EXPR_NAT_REG_PROTO_MIN))
    }

    /// A zone decides which connection a packet belongs to; a connection's mark and the like decide nothing here.
    private static func connection(_ object: borrowing ReadExpression) -> ForeignExpression {
        object.number(NFTNL_EXPR_CT_KEY) == NFT_CT_ZONE.rawValue ? .unknown("ct zone set") : .harmless
    }
}
