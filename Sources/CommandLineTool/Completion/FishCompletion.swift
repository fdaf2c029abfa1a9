/// The script for fish 3.
enum FishCompletion {
    static var text: String {
        """
        # fish completion for ecs-netsetup, printed by: ecs-netsetup generate completion fish

        \(byHand)

        # The options whose value may be the next word.
        set -g __ecs_netsetup_valued \(valued.joined(separator: " "))

        complete -c ecs-netsetup -f

        """
            + (Completion.contexts.flatMap(operands) + CommandTable.options.flatMap(lines)).map { $0 + "\n" }.joined()
    }

    private static let byHand = #"""
        # The words before the cursor, but for the program, options and their values.
        function __ecs_netsetup_words
            set -l valued 0
            for word in (commandline -opc)[2..-1]
                if test $valued = 1
                    set valued 0
                else if string match -q -- '-*' $word
                    contains -- $word $__ecs_netsetup_valued; and set valued 1
                else
                    echo $word
                end
            end
        end

        # Whether these words are one of the arguments.
        function __ecs_netsetup_at
            set -l words (__ecs_netsetup_words)
            contains -- "$words" $argv
        end

        # Whether the first two of them are, the command and the artefact of generate.
        function __ecs_netsetup_in
            set -l words (__ecs_netsetup_words)
            contains -- "$words[1..2]" $argv
        end

        # Whether none of these options was given yet. The last word does not count where its value is being typed.
        function __ecs_netsetup_unused
            set -l words (commandline -opc)[2..-1]
            if contains -- "$words[-1]" $__ecs_netsetup_valued
                set -e words[-1]
            end
            for word in $words
                contains -- (string replace -r '=.*' '' -- $word) $argv; and return 1
            end
            return 0
        end

        # The value that is being typed: the word, or what stands behind its =.
        function __ecs_netsetup_value
            commandline -ct | string replace -r -- '^--[^=]*=' ''
        end

        # Words behind those that stand there already, with a comma.
        function __ecs_netsetup_list
            set -l before (__ecs_netsetup_value | string match -r -- '.*,')
            for word in $argv
                string match -q -- "*,$word,*" ",$before"; or echo "$before$word"
            end
        end

        # Whether it stands behind an =.
        function __ecs_netsetup_assigned
            string match -q -- '--*=*' (commandline -ct)
        end

        # Bridges of this machine, and patterns for those of Docker.
        function __ecs_netsetup_bridges
            set -l folders /sys/class/net/*/bridge
            # Other names are no patterns.
            __ecs_netsetup_list docker+ br-+ \
                (string replace -fr '.*/([A-Za-z0-9._][A-Za-z0-9._-]*)/bridge$' '$1' -- $folders)
        end
        """#

    private static var valued: [String] {
        CommandTable.options.filter { $0.argument != nil }.flatMap(\.spellings)
    }

    /// What may follow at a place.
    private static func operands(_ context: Completion.Context) -> [String] {
        let place = "__ecs_netsetup_at \(quoted(context.words.joined(separator: " ")))"
        return context.operands.map { word, description in
            "complete -c ecs-netsetup -n \(quoted(place)) -a \(word) -d \(quoted(description))"
        }
    }

    /// An option, where it may stand; several lines where it means something else there.
    private static func lines(_ option: Option) -> [String] {
        let sets = Completion.words(of: option)
        return sets.flatMap { commands, words in
            let places = Completion.contexts.filter { context in
                context.options.contains { $0.name == option.name }
                    && (sets.count == 1 || context.words.first.map { commands.map(\.rawValue).contains($0) } ?? false)
            }
            let heads = quotedWords(of: places)
            var condition = "__ecs_netsetup_in \(heads)"
            if !option.mayBeGivenAgain {
                condition += "; and __ecs_netsetup_unused \(option.spellings.joined(separator: " "))"
            }
            let summary = option.summary(for: sets.count == 1 ? nil : commands.first)
            let names = (option.short.map { "-s \($0) " } ?? "") + "-l \(option.name)"
            let plain = line(condition, names, value(option, words), summary)
            // Offered with its = only where that is typed already.
            let assigned = line(condition + "; and __ecs_netsetup_assigned", names, "-a 'true false'", summary)
            return option.isSwitch ? [plain, assigned] : [plain]
        }
    }

    private static func line(_ condition: String, _ names: String, _ value: String, _ summary: String) -> String {
        ["complete -c ecs-netsetup -n \(quoted(condition)) \(names)", value, "-d \(quoted(summary))"]
            .filter { !$0.isEmpty }.joined(separator: " ")
    }

    private static func quotedWords(of places: [Completion.Context]) -> String {
        places.map { quoted($0.words.joined(separator: " ")) }.joined(separator: " ")
    }

    /// What completes its value, or nothing.
    private static func value(_ option: Option, _ words: [String]) -> String {
        if option.argument == nil { return "" }
        switch option.value {
        case .free: return "-x"
        case .file: return "-r -F"
        case .folder: return "-x -a \(quoted("(__fish_complete_directories (__ecs_netsetup_value))"))"
        case .bridges: return "-x -a '(__ecs_netsetup_bridges)'"
        case .words:
            let list = words.joined(separator: " ")
            return "-x -a " + quoted(option.isList ? "(__ecs_netsetup_list \(list))" : list)
        }
    }

    /// As one word of fish, in whose quotes `\` and `'` are escaped.
    private static func quoted(_ text: String) -> String {
        "'" + text.replacing(#"\"#, with: #"\\"#).replacing("'", with: #"\'"#) + "'"
    }
}
