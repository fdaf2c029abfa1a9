/// The script for zsh, by its own `_arguments` (zshcompsys(1)): a function for each place in a command line.
enum ZshCompletion {
    static var text: String {
        """
        #compdef ecs-netsetup
        # zsh completion for ecs-netsetup, printed by: ecs-netsetup generate completion zsh

        \(Completion.contexts.map(function).joined(separator: "\n\n"))

        # Bridges of this machine, and patterns for those of Docker.
        _ecs-netsetup_bridges() {
            local -aU bridges=(docker+ br-+ /sys/class/net/*/bridge(N:h:t))
            # Other names are no patterns, and not taken by _values.
            bridges=(${${bridges:#*[^A-Za-z0-9._+-]*}:#-*})
            _values -s , bridge $bridges
        }

        _ecs-netsetup "$@"

        """
    }

    /// Completes options, and what may follow; where something follows that has options of its own, its function goes on.
    private static func function(_ context: Completion.Context) -> String {
        let isFollowed = Completion.contexts.contains { other in
            !other.words.isEmpty && Array(other.words.dropLast()) == context.words
        }
        let command = context.words.first.flatMap { Command(rawValue: $0) }
        var specifications = context.options.flatMap { specification(of: $0, for: command) }
        if isFollowed { specifications += unoffered(context) }
        if !context.operands.isEmpty { specifications.append("1:\(context.operand):->operand") }
        if isFollowed { specifications.append("*:: :->rest") }
        // What follows reads the rest of the line by itself.
        let arguments = (["_arguments -C" + (isFollowed ? " -A '-*'" : "")] + specifications.map(\.quoted)).joined(
            separator: " \\\n        ")
        let name = (["_ecs-netsetup"] + context.words).joined(separator: "-")
        if context.operands.isEmpty {
            return "\(name)() {\n    \(arguments)\n}"
        }
        return """
            \(name)() {
                local curcontext=$curcontext state state_descr line ret=1
                local -A opt_args
                local -a operands=(
            \(context.operands.map { "        " + "\($0.word):\($0.description)".quoted }.joined(separator: "\n"))
                )
                \(arguments) && ret=0
                case $state in
                operand) _describe -t operands '\(context.operand)' operands && ret=0 ;;
            \(isFollowed ? "    rest) _call_function ret \(name)-$line[1] ;;\n" : "")    esac
                return ret
            }
            """
    }

    /// How `_arguments` is told of an option: what it shuts out, how it is spelled, what it does, what its value may be.
    private static func specification(of option: Option, for command: Command?) -> [String] {
        let others = option.standsAlone ? "(- : *)" : "(\(option.spellings.joined(separator: " ")))"
        let start = option.mayBeGivenAgain ? "*" : others
        let summary = option.summary(for: command).replacing("]", with: #"\]"#)
        return option.spellings.map { spelling in
            if option.isSwitch { return "\(start)\(spelling)=-[\(summary)]::truth:(true false)" }
            guard let argument = option.argument else { return "\(start)\(spelling)[\(summary)]" }
            return "\(start)\(spelling)=[\(summary)]:\(argument):\(action(of: option, for: command))"
        }
    }

    private static func action(of option: Option, for command: Command?) -> String {
        switch option.value {
        case .free: return " "
        case .file: return "_files"
        case .folder: return "_path_files -/"
        case .bridges: return "_ecs-netsetup_bridges"
        case .words:
            let words = command.map { option.choices(for: $0) } ?? []
            let list = words.joined(separator: " ")
            return option.isList ? "_values -s , \(option.name) \(list)" : "(\(list))"
        }
    }

    /// Options of what follows: they may stand before it too, but are not offered there.
    private static func unoffered(_ context: Completion.Context) -> [String] {
        let offered = context.options.map(\.name)
        return CommandTable.options.filter { !offered.contains($0.name) }.flatMap { option in
            option.spellings.map { spelling in
                "!" + (option.argument == nil ? spelling : "\(spelling)=:\(option.argument ?? ""): ")
            }
        }
    }
}
