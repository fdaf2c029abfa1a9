# What zsh makes of a line and a TAB: prints each word that it offers, and then the line, behind a "=".
#
# usage: zsh -f complete.zsh FOLDER LINE
#
# FOLDER has the completion, under its name _ecs-netsetup. An interactive zsh is driven on a terminal of its own.

zmodload zsh/zpty
setup=$(mktemp)
trap 'rm -f $setup' EXIT
cat > $setup <<'END'
PS1=
fpath=($FOLDER $fpath)
autoload -Uz compinit && compinit -D -u
setopt no_beep no_auto_menu no_list_ambiguous
# Every word that is offered is told, besides.
compadd() {
    builtin compadd "$@"
    local result=$?
    if (( ! ${argv[(I)-[OAD]]} )); then
        local -a offered
        builtin compadd -O offered "$@"
        (( $#offered )) && print -rl -- $offered >> $ANSWER
    fi
    return result
}
finish() {
    zle complete-word
    print -r -- "=$BUFFER" >> $ANSWER
    exit
}
zle -N finish
bindkey '^I' finish
END
answer=$(mktemp)
trap 'rm -f $setup $answer' EXIT
# exec, so that the end of the child does not run the trap.
zpty shell "exec env FOLDER=${(q)1} ANSWER=$answer TERM=dumb zsh -f -i"
zpty -w shell ". $setup; print re''ady"
zpty -r shell text '*ready*'
zpty -w -n shell $2$'\t'
# Its end is that of the terminal.
while zpty -r shell text; do :; done
sort -u $answer | grep -v '^='
grep '^=' $answer
