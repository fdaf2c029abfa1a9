import CLibmnl
import CLibnftnl
import Model
import Testing

@testable import NftablesBackend

/// What the accounts of `LibnftnlObjects.swift` rest on, by the library that is installed.
@Suite("libnftnl's objects")
struct ObjectTests {
    /// A message with a head for nf_tables, and attributes.
    private static func message(_ type: nf_tables_msg_types, _ attributes: [UInt8] = []) -> [UInt8] {
        var request = RequestBuilder()
        request.append(type, family: 1, flags: 0, subject: "a message") { _ in }
        var bytes = request.bytes + attributes
        bytes[0] = UInt8(bytes.count)
        return bytes
    }

    /// `struct nlattr`: its length, its number, then what it holds, up to a multiple of four bytes.
    private static func attribute(_ number: UInt8, _ value: [UInt8]) -> [UInt8] {
        let bytes = [UInt8(value.count + 4), 0, number, 0] + value
        return bytes + [UInt8](repeating: 0, count: -bytes.count & 3)
    }

    @Test("say nothing where nothing is set")
    func unset() {
        withReceivedMessage(Self.message(NFT_MSG_NEWTABLE)) { message in
            guard let table = TableObject(message) else { return #expect(Bool(false), "no table") }
            #expect(table.number(NFTNL_TABLE_FLAGS) == 0)
            #expect(table.number(NFTNL_TABLE_OWNER) == 0)
            #expect(table.text(NFTNL_TABLE_NAME) == "")
        }
        withReceivedMessage(Self.message(NFT_MSG_NEWCHAIN)) { message in
            guard let chain = ChainObject(message) else { return #expect(Bool(false), "no chain") }
            #expect(chain.number(NFTNL_CHAIN_USE) == 0)
            #expect(chain.text(NFTNL_CHAIN_TYPE) == "")
        }
        withReceivedMessage(Self.message(NFT_MSG_NEWRULE)) { message in
            guard let rule = RuleObject(message) else { return #expect(Bool(false), "no rule") }
            #expect(rule.handle == 0)
            #expect(rule.text(NFTNL_RULE_CHAIN) == "")
            #expect(rule.userData == nil)
            #expect(rule.map { $0.name } == [])
        }
        // Without these two, libnftnl ends the program: the kernel always sends them (`nft_trace_notify`).
        let trace =
            Self.attribute(UInt8(NFTA_TRACE_ID.rawValue), [0, 0, 0, 7])
            + Self.attribute(UInt8(NFTA_TRACE_TYPE.rawValue), [0, 0, 0, UInt8(NFT_TRACETYPE_POLICY.rawValue)])
        withReceivedMessage(Self.message(NFT_MSG_TRACE, trace)) { message in
            guard let trace = TraceObject(message) else { return #expect(Bool(false), "no trace") }
            #expect(trace.number(NFTNL_TRACE_VERDICT) == 0)
            #expect(trace.ruleHandle == 0)
            #expect(trace.text(NFTNL_TRACE_TABLE) == "")
            #expect(trace.networkHeader == nil)
        }
    }

    @Test("an element of a set says nothing where nothing is set")
    func unsetElement() {
        // A list of one element, which has nothing but flags that are 0.
        let flags = Self.attribute(UInt8(NFTA_SET_ELEM_FLAGS.rawValue), [0, 0, 0, 0])
        let list = Self.attribute(
            UInt8(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue), Self.attribute(UInt8(NFTA_LIST_ELEM.rawValue), flags))
        var count = 0
        withReceivedMessage(Self.message(NFT_MSG_NEWSETELEM, list)) { message in
            guard let set = SetObject(message) else { return #expect(Bool(false), "no set") }
            set.forEachElement { element in
                count += 1
                #expect(element.number(Int(NFTNL_SET_ELEM_VERDICT)) == 0)
                #expect(element.text(Int(NFTNL_SET_ELEM_CHAIN)) == "")
                #expect(element.bytes(Int(NFTNL_SET_ELEM_KEY)) == [])
            }
        }
        #expect(count == 1)
    }

    @Test(
        "an expression says nothing where nothing is set", arguments: ["meta", "immediate", "lookup", "match", "nat"])
    func unsetExpression(_ name: String) {
        guard let rule = RuleObject(), let made = NewExpression(name) else { return #expect(Bool(false), "no memory") }
        rule.add(made)
        let said = rule.map { expression in
            (expression.name, (1...12).map { expression.has($0) }, expression.text(Int(NFTNL_EXPR_IMM_CHAIN)))
        }
        #expect(said.map(\.0) == [name])
        #expect(said.allSatisfy { !$0.1.contains(true) && $0.2.isEmpty })
    }

    private static let chain = UInt16(NFTA_RULE_CHAIN.rawValue)

    @Test("the attributes of a message are found where they are whole")
    func attributes() {
        let other = Self.attribute(UInt8(NFTA_RULE_TABLE.rawValue), Array("filter\0".utf8))
        let chain = Self.attribute(UInt8(Self.chain), Array("forward\0".utf8))
        let found = withReceivedMessage(Self.message(NFT_MSG_NEWRULE, other + chain)) { $0.text(Self.chain, after: 4) }
        #expect(found == "forward")
    }

    @Test(
        "an attribute that the message does not hold whole, or without its NUL, is passed by",
        arguments: [
            [], [12, 0, 2, 0], [12, 0, 2, 0, 0x61, 0x62, 0x63, 0x64], [2, 0, 2, 0], [0, 0, 2, 0],
            [8, 0, 2, 0, 0x61, 0x62, 0x63, 0x64],
        ])
    func broken(_ attributes: [UInt8]) {
        let found = withReceivedMessage(Self.message(NFT_MSG_NEWRULE, attributes)) { $0.text(Self.chain, after: 4) }
        #expect(found == nil)
    }

    @Test("an attribute for which a message has no room is not written")
    func room() {
        func size(_ text: String) -> Int {
            var request = RequestBuilder()
            request.append(NFT_MSG_NEWTABLE, family: 1, flags: 0, subject: "a table") { message in
                message.put(NFTA_TABLE_NAME.rawValue, text)
            }
            return request.bytes.count
        }
        #expect(size("name") == 20 + 4 + 8)
        #expect(size(String(repeating: "a", count: 8000)) > 8000)
        #expect(size(String(repeating: "a", count: 9000)) == 20)
    }
}
