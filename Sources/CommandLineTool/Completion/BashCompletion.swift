/// The script for bash. It takes bash 4.2, that of Amazon Linux 2, and does not need the package bash-completion.
enum BashCompletion {
    static var text: String {
        """
        # bash completion for ecs-netsetup, printed by: ecs-netsetup generate completion bash

        \(byHand)

        # What may follow the command, and the artefact of generate: options, with + where they may be given again.
        _ecs_netsetup_options() {
            case $1 in
        \(rows(Completion.contexts.map { (key($0), $0.options.map(spelling).joined(separator: " ")) }))
            *) REPLY='' ;;
            esac
        }

        # What may follow them besides.
        _ecs_netsetup_operands() {
            case $1 in
        \(rows(Completion.contexts.filter { !$0.operands.isEmpty }.map { (key($0), $0.operands.map(\.word).joined(separator: " ")) }))
            *) REPLY='' ;;
            esac
        }

        # What kind of value an option takes; a switch only behind =.
        _ecs_netsetup_kind() {
            case $1 in
        \(rows(kinds))
            *) REPLY='' ;;
            esac
        }

        # The words that the value of an option may be, of a command.
        _ecs_netsetup_words() {
            case $1:$2 in
        \(rows(words))
            *) REPLY='' ;;
            esac
        }

        complete -F _ecs_netsetup ecs-netsetup

        """
    }

    /// Follows the words before the cursor, and decides what to offer.
    private static let byHand = #"""
        _ecs_netsetup() {
            local IFS=$' \t\n' REPLY word words=() last=-1 current prefix='' option='' command='' artefact='' operands=0 given=' '
            COMPREPLY=()
            # bash splits a line at = as well, unless COMP_WORDBREAKS was changed.
            for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
                if ((last >= 0)) && [[ ${words[last]} == --*= || $word == '=' && ${words[last]} == --* ]]; then
                    words[last]+=$word
                else
                    words[++last]=$word
                fi
            done
            current=${words[last]}
            for word in "${words[@]:0:last}"; do
                _ecs_netsetup_kind "$word"
                if [[ -n $option ]]; then
                    option=''
                elif [[ $word == -* ]]; then
                    given+="${word%%=*} "
                    [[ $word == *=* || -z $REPLY || $REPLY == switch ]] || option=$word
                elif [[ -z $command ]]; then
                    command=$word
                elif [[ -z $artefact && $command == generate ]]; then
                    artefact=$word
                else
                    operands=1
                fi
            done
            if [[ -z $option && $current == --*=* ]]; then
                option=${current%%=*}
                current=${current#*=}
                if [[ ${COMP_WORDS[COMP_CWORD]} == --*=* ]]; then prefix=$option=; fi
            fi
            if [[ -n $option ]]; then
                _ecs_netsetup_value
            else
                REPLY=''
                ((operands)) || _ecs_netsetup_operands "$command${artefact:+ $artefact}"
                for word in $REPLY; do _ecs_netsetup_offer "$word"; done
                # Where nothing but options may follow, they need no dash to be shown.
                if [[ $current == -* || -z $REPLY ]]; then
                    _ecs_netsetup_options "$command${artefact:+ $artefact}"
                    _ecs_netsetup_unused
                fi
            fi
        }

        # Offers a word that begins with what is typed.
        _ecs_netsetup_offer() {
            [[ $1 == "$current"* ]] && COMPREPLY+=("$prefix$1")
        }

        # Offers those options that were not given, by their letter or by their name.
        _ecs_netsetup_unused() {
            local spelling unused
            for word in $REPLY; do
                unused=1
                if [[ $word != *+ ]]; then
                    for spelling in ${word//,/ }; do
                        [[ $given == *" $spelling "* ]] && unused=0
                    done
                fi
                ((unused)) || continue
                word=${word%+}
                for spelling in ${word//,/ }; do _ecs_netsetup_offer "$spelling"; done
            done
        }

        # Offers values of an option.
        _ecs_netsetup_value() {
            local folder
            _ecs_netsetup_kind "$option"
            case $REPLY in
            # Readline knows best how names of files are completed.
            file) compopt -o default ;;
            folder) compopt -o dirnames ;;
            switch)
                for word in true false; do _ecs_netsetup_offer "$word"; done
                ;;
            words)
                _ecs_netsetup_words "$command" "$option"
                for word in $REPLY; do _ecs_netsetup_offer "$word"; done
                ;;
            list) _ecs_netsetup_words "$command" "$option" && _ecs_netsetup_list ;;
            bridges)
                REPLY='docker+ br-+'
                for folder in /sys/class/net/*/bridge; do
                    folder=${folder%/bridge} folder=${folder##*/}
                    # Other names are no patterns.
                    [[ $folder == *[!A-Za-z0-9._-]* || $folder == -* ]] || REPLY+=" $folder"
                done
                _ecs_netsetup_list
                ;;
            esac
        }

        # Offers words behind those that stand there already, with a comma.
        _ecs_netsetup_list() {
            local before=''
            if [[ $current == *,* ]]; then before=${current%,*},; fi
            for word in $REPLY; do
                [[ ,$before == *",$word,"* ]] || _ecs_netsetup_offer "$before$word"
            done
            # Another may follow.
            compopt -o nospace
        }
        """#

    private static func rows(_ rows: [(key: String, words: String)]) -> String {
        rows.map { "    \($0.key)) REPLY=\($0.words.quoted) ;;" }.joined(separator: "\n")
    }

    private static func key(_ context: Completion.Context) -> String {
        context.words.joined(separator: " ").quoted
    }

    private static func spelling(_ option: Option) -> String {
        option.spellings.joined(separator: ",") + (option.mayBeGivenAgain ? "+" : "")
    }

    private static var kinds: [(String, String)] {
        CommandTable.options.compactMap { option in
            kind(option).map { (option.spellings.joined(separator: " | "), $0) }
        }
    }

    private static func kind(_ option: Option) -> String? {
        switch option.value {
        case _ where option.isSwitch: "switch"
        case _ where option.argument == nil: nil
        case .free: "free"
        case .words: option.isList ? "list" : "words"
        case .file: "file"
        case .folder: "folder"
        case .bridges: "bridges"
        }
    }

    private static var words: [(String, String)] {
        CommandTable.options.flatMap { option in
            let sets = Completion.words(of: option)
            return sets.filter { !$0.words.isEmpty }.map { commands, words in
                let names = sets.count == 1 ? ["*"] : commands.map(\.rawValue)
                return (names.map { "\($0):--\(option.name)" }.joined(separator: " | "), words.joined(separator: " "))
            }
        }
    }
}
