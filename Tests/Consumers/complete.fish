# What fish makes of a line and a TAB: prints each word that it offers, with its description behind a tab.
#
# usage: fish --no-config complete.fish COMPLETION LINE

source $argv[1]
complete -C $argv[2]
