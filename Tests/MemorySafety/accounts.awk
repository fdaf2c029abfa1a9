# Reads Swift as `swift format` lays it out, and tells every `unsafe` that no comment accounts for.
#
# An account is a comment that begins with "Safe: ". It accounts for what follows it in its declaration, a member of a type or
# of the file; for the whole declaration where it stands above it; and so, above a type or an extension, for all of its
# members. What lies between two blank lines or two members begins anew. The compiler sees to it that nothing unsafe goes
# without the word (`strictMemorySafety`); so this has to look for the word only.

function fail(line, text) { printf "%s:%d: %s\n", FILENAME, line, text; failed = 1 }

# The words that make code unsafe, or say that unsafe code is safe.
function uses(code) {
    gsub(/[^A-Za-z0-9_@]+/, "  ", code)
    code = " " code " "
    return gsub(/ @?unsafe | @safe | @unchecked /, "", code)
}

# An account ends: one that accounts for nothing is left over.
function drop(depth) {
    if (account[depth] && !used[depth]) fail(account[depth], "accounts for nothing: Safe:")
    account[depth] = 0
    used[depth] = 0
}

function begin(depth) { drop(depth); isHead = 0; hasUse[depth] = 0 }

function close_file(depth) { for (depth = top; depth >= 0; depth--) drop(depth) }

function count_use(number, depth, found) {
    if (!number) return
    total += number
    if (!hasUse[top]++) places++
    for (depth = top; depth >= 0 && !found; depth--) if (account[depth]) { used[depth] = 1; found = 1 }
    if (!found) fail(FNR, "nothing says why this is safe: " substr($0, match($0, /[^ ]/)))
}

FNR == 1 { close_file(); top = 0; member[0] = 0; isHead = 0; hasUse[0] = 0 }

/^ *$/ { if (isHead) begin(top); next }

{
    indent = match($0, /[^ ]/) - 1
    isComment = $0 ~ /^ *\/\//
    # A line further out than the members of a type ends the type.
    while (top > 0 && indent < member[top]) { drop(top); top--; isHead = 0 }
    isMember = indent == member[top]
    isEnd = $0 ~ /^ *[\]})]/
    # What comes after a member's code, and is not its end, is the next member.
    if (isMember && !isEnd && !isHead) { begin(top); isHead = 1 }
    if (isComment) {
        if ($0 ~ /^ *\/\/\/? Safe: ./ && !account[top]) account[top] = FNR
        next
    }
    code = $0
    sub(/[ \t]*\/\/ .*/, "", code)
    count_use(uses(code))
    if (!isMember || code ~ /^ *@[A-Za-z]+(\([^)]*\))? *$/) next
    isHead = 0
    # Types whose first line does not end so would not be seen.
    if (code ~ /^ *([a-z@][A-Za-z]* )*(struct|class|enum|extension|protocol|actor) [A-Z].*[^{}]$/) fail(FNR, "not on one line: " $0)
    if (code ~ /^ *([a-z@][A-Za-z]* |[a-z]+\([a-z]+\) )*(struct|class|enum|extension|protocol|actor) .*\{$/) {
        top++
        member[top] = indent + 4
        account[top] = used[top] = hasUse[top] = 0
    }
}

END {
    close_file()
    if (!failed && !total) { print "no unsafe expressions found: " FILENAME; failed = 1 }
    if (failed) exit 1
    printf "unsafe expressions in %s: %d in %d places, each accounted for\n", folder, total, places
}
