import CLibnftnl

@testable import NftablesBackend

/// An altered list of expressions, and what was done to it.
struct Alteration {
    let what: String
    let expressions: [Expression]
}

extension Alteration {
    /// Every list that differs from this one by one alteration that changes what the rule does or counts.
    static func all(of expressions: [Expression]) -> [Alteration] {
        let indices = expressions.indices
        return indices.flatMap { replaced(expressions, at: $0) } + indices.map { removed(expressions, at: $0) }
            + indices.dropLast().compactMap { swapped(expressions, at: $0) }
            + (0...expressions.count).flatMap { inserted(expressions, at: $0) }
    }

    private static func replaced(_ expressions: [Expression], at index: Int) -> [Alteration] {
        expressions[index].altered.map { altered in
            var changed = expressions
            changed[index] = altered
            return Alteration(what: "\(expressions[index]) became \(altered)", expressions: changed)
        }
    }

    private static func removed(_ expressions: [Expression], at index: Int) -> Alteration {
        var changed = expressions
        let gone = changed.remove(at: index)
        return Alteration(what: "\(gone) is gone", expressions: changed)
    }

    /// Nil where the order makes no difference.
    private static func swapped(_ expressions: [Expression], at index: Int) -> Alteration? {
        switch (expressions[index], expressions[index + 1]) {
        case (.immediate(let first, _), .immediate(let second, _)) where first != second: return nil
        case (.counter, .immediate): return nil
        case (let first, let second):
            var changed = expressions
            changed.swapAt(index, index + 1)
            return Alteration(what: "\(first) stands after \(second)", expressions: changed)
        }
    }

    private static func inserted(_ expressions: [Expression], at index: Int) -> [Alteration] {
        let extras: [Expression] = [
            .unknown("limit"), .counter(packets: 0, bytes: 0), .verdict(NF_ACCEPT), .verdict(NF_DROP),
            .meta(key: NFT_META_MARK.rawValue, register: 4), .immediate(register: 3, data: [1, 2, 3, 4]),
            .immediate(register: 1, data: [1]), .connection(key: NFT_CT_MARK.rawValue, register: 1),
            .compare(operation: NFT_CMP_EQ.rawValue, register: 1, data: [1]),
            .compare(operation: NFT_CMP_NEQ.rawValue, register: 4, data: [0, 0, 0, 0]),
            .bitwise(source: 1, destination: 1, mask: [0, 0, 0, 0], xor: [0, 0, 0, 0]),
            .reject(type: NFT_REJECT_ICMP_UNREACH.rawValue, code: 1), .redirect(port: 2, flags: 2),
        ]
        return extras.map { extra in
            var changed = expressions
            changed.insert(extra, at: index)
            return Alteration(what: "\(extra) was put in at \(index)", expressions: changed)
        }
    }
}

extension Expression {
    /// The expression with one field different, in every way that matters.
    fileprivate var altered: [Expression] {
        switch self {
        case .meta(let key, let register):
            return [.meta(key: key + 1, register: register), .meta(key: key, register: register + 1), .unknown("meta")]
        case .payload(let base, let offset, let length, let register):
            return [
                .payload(base: base + 1, offset: offset, length: length, register: register),
                .payload(base: base, offset: offset + 1, length: length, register: register),
                .payload(base: base, offset: offset, length: length + 1, register: register),
                .payload(base: base, offset: offset, length: length - 1, register: register),
                .payload(base: base, offset: offset, length: .max, register: register),
                .payload(base: base, offset: offset, length: length, register: register + 1),
            ]
        case .connection(let key, let register):
            return [.connection(key: key + 1, register: register), .connection(key: key, register: register + 1)]
        case .bitwise(let source, let destination, let mask, let xor):
            return [
                .bitwise(source: source + 1, destination: destination, mask: mask, xor: xor),
                .bitwise(source: source, destination: destination + 1, mask: mask, xor: xor),
            ]
                + mask.alterations.map { .bitwise(source: source, destination: destination, mask: $0, xor: xor) }
                + xor.indices.map {
                    .bitwise(source: source, destination: destination, mask: mask, xor: xor.flipping(1, at: $0))
                }
        case .compare(let operation, let register, let data):
            let operations = [NFT_CMP_EQ, NFT_CMP_NEQ, NFT_CMP_LT, NFT_CMP_LTE, NFT_CMP_GT, NFT_CMP_GTE].map(\.rawValue)
            return operations.filter { $0 != operation }.map { .compare(operation: $0, register: register, data: data) }
                + [.compare(operation: operation, register: register + 1, data: data)]
                + data.alterations.map { .compare(operation: operation, register: register, data: $0) }
        case .counter: return [.unknown("quota")]
        case .immediate(let register, let data):
            return [.immediate(register: register + 2, data: data)]
                + data.alterations.map { .immediate(register: register, data: $0) }
        case .verdict, .nat, .redirect, .reject: return alteredStatement
        case .unknown: return []
        }
    }

    private var alteredStatement: [Expression] {
        switch self {
        case .verdict(let verdict):
            // Also jump, goto, return, continue and queue.
            return [NF_ACCEPT, NF_DROP, 2, 3, NFT_JUMP.rawValue, NFT_GOTO.rawValue, NFT_RETURN.rawValue, -1]
                .filter { $0 != verdict }.map { .verdict($0) } + [.unknown("jump")]
        case .nat(let type, let family, let address, let port, let flags):
            return [
                .nat(type: NFT_NAT_SNAT.rawValue, family: family, address: address, port: port, flags: flags),
                .nat(type: type, family: family ^ 8, address: address, port: port, flags: flags),
                .nat(type: type, family: family, address: port, port: port, flags: flags),
                .nat(type: type, family: family, address: address, port: address, flags: flags),
                .nat(type: type, family: family, address: address, port: 3, flags: flags),
                .nat(type: type, family: family, address: address, port: port, flags: flags | 4),
                .unknown("nat"),
            ]
        case .redirect(let port, let flags):
            return [
                .redirect(port: port + 1, flags: flags), .redirect(port: port, flags: flags | 4), .unknown("redir"),
            ]
        case .reject(let type, let code):
            return (0...3).filter { $0 != type }.map { .reject(type: $0, code: code) }
                + [.reject(type: type, code: code + 1)]
        default: return []
        }
    }
}

extension [UInt8] {
    func flipping(_ bits: UInt8, at index: Int) -> [UInt8] {
        var changed = self
        changed[index] ^= bits
        return changed
    }

    /// Every single byte changed in its lowest bit, in its highest and to zero; a byte less, a byte more, no byte.
    fileprivate var alterations: [[UInt8]] {
        let changed = indices.flatMap { index in
            [flipping(1, at: index), flipping(0x80, at: index), flipping(self[index], at: index)]
        }
        return (changed + [Array(dropLast()), self + [0], self + [1], []]).filter { $0 != self }
    }
}
