# What bash makes of a line and a TAB: prints each word that it offers, and then the line, behind a "=".
#
# usage: bash complete.bash COMPLETION LINE
#
# An interactive bash is driven on a terminal of its own.

setup=$(mktemp)
answer=$(mktemp)
trap 'rm -f "$setup" "$answer"' EXIT
cat > "$setup" <<'END'
PS1=
unset HISTFILE
source "$COMPLETION"
# Every word that is offered is told, besides.
spy() {
    _ecs_netsetup "$@"
    ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}" > "$ANSWER"
}
complete -F spy ecs-netsetup
finish() {
    printf '=%s\n' "$READLINE_LINE" >> "$ANSWER"
    exit
}
bind 'set completion-query-items 0'
bind -x '"\C-xf": finish'
END
export COMPLETION=$1 ANSWER=$answer
printf '%s\t\030f' "$2" | script -qec "bash --rcfile '$setup' -i" /dev/null > /dev/null
cat "$answer"
