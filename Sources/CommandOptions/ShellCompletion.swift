/// Completions for bash, zsh and fish, made of the table of options.
///
/// What only the command knows (hosts, paths on a server) the scripts ask it for, by `--complete` and with the options that
/// were typed so far: see `Completion` of the command scp.
package struct ShellCompletion<Settings> {
    let command: String
    let table: OptionTable<Settings>
    /// Names of settings, for values of the kind `setting`.
    let settings: [String]
    /// Whether what is no option is a path here or on a server.
    let hasPlaces: Bool

    package init(_ command: String, _ table: OptionTable<Settings>, settings: [String] = [], hasPlaces: Bool) {
        self.command = command
        self.table = table
        self.settings = settings
        self.hasPlaces = hasPlaces
    }

    private var function: String { "_swift_\(command)" }

    private func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    /// Letters and words whose value is of the kinds that `isWanted` says.
    private func names(_ isWanted: (OptionValue.Kind) -> Bool) -> [String] {
        table.shown.filter { $0.value.map { isWanted($0.kind) } ?? false }.flatMap(\.names).map(\.description)
    }

    private var valuedLetters: String {
        table.shown.filter { $0.value != nil }.flatMap(\.letters).map(String.init).joined()
    }
}

// MARK: bash

extension ShellCompletion {
    /// A script that bash-completion loads by the name of its file, which is the command's; or one for `source`.
    package var bash: String {
        let kinds: [(String, (OptionValue.Kind) -> Bool)] = [
            ("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames 2>/dev/null", { $0 == .file }),
            (
                "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); compopt -o filenames 2>/dev/null",
                { $0 == .directory }
            ),
            ("COMPREPLY=($(compgen -c -- \"$cur\"))", { $0 == .program }),
            ("\(function)_hosts '' ''", { $0 == .host }),
            (
                "COMPREPLY=($(compgen -S = -W \"$settings\" -- \"$cur\")); compopt -o nospace 2>/dev/null",
                { $0 == .setting }
            ),
        ]
        var cases: [String] = []
        for (action, isWanted) in kinds {
            let names = names(isWanted)
            if !names.isEmpty { cases.append("        \(names.joined(separator: "|"))) \(action); return ;;") }
        }
        for option in table.shown {
            guard let value = option.value, let words = value.words else { continue }
            let names = option.names.map(\.description).joined(separator: "|")
            let action = value.isList ? "\(function)_list" : "\(function)_words"
            cases.append("        \(names)) \(action) \(quoted(words.joined(separator: " "))); return ;;")
        }
        let others = table.shown.filter { $0.value?.kind == .text }.flatMap(\.names).map(\.description)
        if !others.isEmpty { cases.append("        \(others.joined(separator: "|"))) return ;;") }
        let options = table.shown.flatMap(\.names).map(\.description).joined(separator: " ")
        return bashText(cases: cases.joined(separator: "\n"), options: options)
    }

    private func bashText(cases: String, options: String) -> String {
        """
        # bash completion for \(command) of swift-scp. Made from the table of options: not to be edited.
        # For the command that the file is called like, whether bash-completion loads it or `source`.

        # Puts candidates that a colon stands in without what stands before it, as bash takes the colon for a break.
        \(function)_reply() {
            local line prefix=
            if [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]]; then prefix=${cur%"${cur##*:}"}; fi
            COMPREPLY=()
            while IFS= read -r line; do
                [[ $line == "$cur"* ]] && COMPREPLY+=("$(\(function)_quote "${line#"$prefix"}")")
            done
            [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *[/:] ]] && compopt -o nospace 2>/dev/null
        }

        \(function)_quote() {
            if [[ $quote ]]; then printf '%s' "$1"; else printf '%q' "$1"; fi
        }

        # Asks the command, with the options that were typed before.
        \(function)_ask() {
            "${COMP_WORDS[0]}" "${given[@]}" --complete "$1" -- "$2" 2>/dev/null
        }

        \(function)_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null; }

        # Names with commas between.
        \(function)_list() {
            local done=
            [[ $cur == *,* ]] && done=${cur%,*},
            COMPREPLY=($(compgen -P "$done" -W "$1" -- "${cur##*,}"))
            compopt -o nospace 2>/dev/null
        }

        # Hosts, with something behind each.
        \(function)_hosts() {
            local user=
            [[ $cur == *@* ]] && user=${cur%%@*}@
            \(function)_reply < <(\(function)_ask hosts "${cur#*@}" | while IFS= read -r host; do printf '%s%s%s\\n' "$user" "$host" "$1"; done)
        }

        # Goes through the words before the cursor: which options are given, and whose value the cursor is in.
        \(function)_read() {
            local word wanted= ended=
            given=() previous=
            for word in "${words[@]:1}"; do
                if [[ $wanted ]]; then given+=("$word") wanted=; continue; fi
                if [[ $ended || $word != -?* ]]; then ended=yes; continue; fi
                case $word in
                --) ended=yes ;;
                --*=*) given+=("$word") ;;
                --*) given+=("$word"); [[ " $valued " == *" $word "* ]] && wanted=$word ;;
                *[\(valuedLetters.isEmpty ? "-" : valuedLetters)]) given+=("$word"); wanted=-${word: -1} ;;
                *) given+=("$word") ;;
                esac
            done
            if [[ $wanted ]]; then previous=$wanted; unset 'given[-1]'; fi
        }

        \(function)() {
            local cur previous quote= settings=\(quoted(settings.joined(separator: " ")))
            local valued=\(quoted(names { _ in true }.joined(separator: " "))) line=${COMP_LINE:0:COMP_POINT}
            local -a words given
            # bash splits words at colons; blanks are what counts.
            read -ra words <<<"$line"
            if [[ $line == *[[:blank:]] ]]; then cur=; else cur=${words[-1]}; unset 'words[-1]'; fi
            if [[ $cur == [\\"\\']* ]]; then quote=${cur:0:1} cur=${cur:1}; fi
            cur=${cur//\\\\/}
            COMPREPLY=()
            \(function)_read
            if [[ $cur == --*=* ]]; then previous=${cur%%=*} cur=${cur#*=}; fi
            case $previous in
        \(cases)
            esac
            case $cur in
            -*) COMPREPLY=($(compgen -W \(quoted(options)) -- "$cur")); return ;;
        \(bashPlaces)
            esac
        }

        \(function)_name=${BASH_SOURCE[0]##*/}
        complete -F \(function) "${\(function)_name%.bash}"
        unset \(function)_name

        """
    }

    private var bashPlaces: String {
        guard hasPlaces else {
            return "    *) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames 2>/dev/null ;;"
        }
        return """
                */*:*|*:*) \(function)_reply < <(\(function)_ask paths "$cur") ;;
                *)
                    COMPREPLY=()
                    local -a files=()
                    local file
                    while IFS= read -r file; do
                        [[ -d $file ]] && file+=/
                        files+=("$(\(function)_quote "$file")")
                    done < <(compgen -f -- "$cur")
                    [[ $cur == */* ]] || \(function)_hosts :
                    COMPREPLY+=("${files[@]}")
                    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[/:] ]] && compopt -o nospace 2>/dev/null
                    ;;
            """
    }
}

extension OptionValue {
    /// What it may be, where that is known.
    fileprivate var words: [String]? {
        switch kind {
        case .words(let words), .list(let words): words
        default: nil
        }
    }

    fileprivate var isList: Bool { if case .list = kind { true } else { false } }
}

// MARK: zsh

extension ShellCompletion {
    /// A function for a directory of `fpath`, under the name `_COMMAND`.
    package var zsh: String {
        var lines: [String] = []
        for option in table.shown {
            let help = zshEscaped(option.help)
            for name in option.names {
                let start: String
                switch (name, option.value) {
                case (.letter, nil): start = "'*\(name)[\(help)]"
                case (.word, nil): start = "'\(name)[\(help)]"
                case (.letter, .some): start = "'*\(name)+[\(help)]"
                case (.word, .some): start = "'*\(name)=[\(help)]"
                }
                lines.append("        \(start)\(option.value.map { ":\(zshEscaped($0.name)):" + action($0) } ?? "")'")
            }
        }
        if hasPlaces { lines.append("        '*:source or target:\(function)_places'") }
        return """
            #compdef \(command)
            # zsh completion for \(command) of swift-scp. Made from the table of options: not to be edited.

            \(hasPlaces ? zshPlaces : "")\(function)() {
                local -A opt_args
                _arguments -s -S \\
            \(lines.joined(separator: " \\\n"))
            }

            \(function) "$@"

            """
    }

    private var zshPlaces: String {
        """
        # Asks the command, with the options that were typed before.
        \(function)_ask() {
            local -a given
            local name
            for name in ${(k)opt_args}; do
                [[ $name == (-Q|-V|--help|--version|-G) ]] && continue
                # Where an option was repeated its values stand with colons between.
                if [[ -n ${opt_args[$name]} ]]; then
                    local value
                    for value in ${(s.:.)${opt_args[$name]//\\\\:/$'\\x1'}}; do given+=(${name%=} "${value//$'\\x1'/:}"); done
                else
                    given+=($name)
                fi
            done
            $service $given --complete $1 -- $2 2>/dev/null
        }

        \(function)_hosts() {
            local -a hosts
            compset -P '*@'
            hosts=(${(f)"$(\(function)_ask hosts "$PREFIX")"})
            compadd "$@" -a hosts
        }

        \(function)_settings() {
            local -a settings=(\(settings.joined(separator: " ")))
            compset -P 1 '*=' || compadd -M 'm:{a-z}={A-Z}' -S = -a settings
        }

        \(function)_places() {
            local place="${(Q)PREFIX}"
            if [[ $place == *:* && $place != */*:* ]]; then
                local -a paths directories files
                local host=${place%%:*}: found
                paths=(${(f)"$(\(function)_ask paths "$place")"})
                compset -P 1 '*:'
                for found in $paths; do
                    found=${found#$host}
                    if [[ $found == */ ]]; then directories+=($found); else files+=($found); fi
                done
                compadd -f -S '' -a directories
                compadd -f -a files
            else
                _files
                if [[ $place != */* ]]; then
                    local -a hosts
                    compset -P '*@'
                    hosts=(${(f)"$(\(function)_ask hosts "${place#*@}")"})
                    compadd -S : -a hosts
                fi
            fi
        }


        """
    }

    private func action(_ value: OptionValue) -> String {
        switch value.kind {
        case .text: " "
        case .file: "_files"
        case .directory: "_files -/"
        case .program: "_command_names -e"
        case .host: "\(function)_hosts"
        case .setting: "\(function)_settings"
        case .words(let words): "(\(words.joined(separator: " ")))"
        case .list(let words): "_sequence compadd - \(words.joined(separator: " "))"
        }
    }

    private func zshEscaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if "[]:\\".contains(character) { result += "\\" }
            result += character == "'" ? "'\\''" : String(character)
        }
        return result
    }
}

// MARK: fish

extension ShellCompletion {
    /// A file for a directory of `fish_complete_path`, called as the command is.
    package var fish: String {
        var lines: [String] = []
        for option in table.shown {
            var line = "complete -c $command"
            for name in option.names {
                switch name {
                case .letter(let letter): line += " -s \(letter)"
                case .word(let word): line += " -l \(word)"
                }
            }
            switch option.value?.kind {
            case nil: break
            case .file, .directory: line += " -r -F"
            case .text: line += " -x"
            case .program: line += " -x -a '(__fish_complete_command)'"
            case .host: line += " -x -a '(\(function)_ask hosts \"\")'"
            case .setting: line += " -x -a \(fishQuoted(settings.map { $0 + "=" }.joined(separator: " ")))"
            case .words(let words): line += " -x -a \(fishQuoted(words.joined(separator: " ")))"
            case .list(let words):
                line += " -x -a '(__fish_complete_list , \"printf %s\\\\\\\\n \(words.joined(separator: " "))\")'"
            }
            lines.append(line + " -d \(fishQuoted(option.help))")
        }
        return """
            # fish completion for \(command) of swift-scp. Made from the table of options: not to be edited.
            # For the command that the file is called like.
            set -l command (status basename | string replace -r '\\.fish$' '')

            # Asks the command, with the options that were typed before.
            function \(function)_ask
                set -l words (commandline -opc)
                set -l given
                set -l wanted no
                for word in $words[2..-1]
                    if test $wanted = yes
                        set -a given $word
                        set wanted no
                    else if string match -qr -- '^-' $word
                        set -a given $word
                        if contains -- $word \(names { _ in true }.joined(separator: " "))
                            set wanted yes
                        else if string match -qr -- '^-[^-]*[\(valuedLetters.isEmpty ? "-" : valuedLetters)]$' $word
                            set wanted yes
                        end
                    end
                end
                if test $wanted = yes
                    set -e given[-1]
                end
                command $words[1] $given --complete $argv[1] -- "$argv[2]" 2>/dev/null
            end

            \(fishPlaces)
            \(lines.joined(separator: "\n"))

            """
    }

    private var fishPlaces: String {
        guard hasPlaces else { return "complete -c $command -f\n" }
        return """
            function \(function)_places
                set -l word (commandline -ct)
                if string match -q -- '*:*' $word
                    \(function)_ask paths $word
                else
                    set -l user (string match -r -- '^[^@]*@' $word)
                    for host in (\(function)_ask hosts (string replace -r -- '^[^@]*@' '' $word))
                        printf '%s%s:\\n' $user $host
                    end
                end
            end
            complete -c $command -a '(\(function)_places)'

            """
    }

    private func fishQuoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "\\'") + "'"
    }
}
