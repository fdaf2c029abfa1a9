"""What stands on a terminal of 80 columns after a line was typed into an interactive shell, and TAB pressed twice.

Usage: screen.py SHELL COMPLETION LINE. The terminal is that of pyte, an emulator.
"""

import fcntl
import os
import pathlib
import pty
import select
import struct
import sys
import tempfile
import termios
import time

import pyte

QUIET = 0.5  # seconds without output, after which a shell has said what it has to say
PATIENCE = 60  # seconds for a shell to say anything, on a machine that has other things to do
WIDTH, HEIGHT = 80, 40

# How each shell is started with the completion alone, and with "$ " for a prompt.
SETUPS = {
    "bash": (
        ["--rcfile", ".bashrc", "-i"],
        ".bashrc",
        """
PS1='$ '
unset HISTFILE
bind 'set enable-bracketed-paste off'
. {completion}
""",
    ),
    "zsh": (
        ["-i"],
        ".zshrc",
        """
PS1='$ '
setopt no_prompt_sp no_auto_menu
fpath=({folder} $fpath)
autoload -Uz compinit && compinit -D -u
""",
    ),
    "fish": (
        ["-i"],
        ".config/fish/config.fish",
        """
set fish_greeting
function fish_prompt; echo -n '$ '; end
source {completion}
""",
    ),
}


def run(shell, completion, line):
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.ByteStream(screen)
    arguments, name, setup = SETUPS[shell]
    with tempfile.TemporaryDirectory() as home:
        file = pathlib.Path(home, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(setup.format(completion=completion, folder=pathlib.Path(completion).parent))
        child, terminal = pty.fork()
        if child == 0:
            environment = {"HOME": home, "ZDOTDIR": home, "TERM": "linux", "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
            environment |= {"COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
            os.chdir(home)
            os.execvpe(shell, [shell, *arguments], environment)

        def listen(is_there):
            """Reads until something stands on the screen, and the shell has been quiet for a while."""
            end = time.monotonic() + PATIENCE
            while select.select([terminal], [], [], QUIET)[0] or not is_there():
                if time.monotonic() > end:
                    sys.exit(f"{shell}: nothing came within {PATIENCE} seconds")
                if select.select([terminal], [], [], 0)[0]:
                    stream.feed(os.read(terminal, 65536))

        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        listen(lambda: screen.display[0].startswith("$"))
        os.write(terminal, line.encode())
        listen(lambda: line.rstrip() in screen.display[0])
        os.write(terminal, b"\t")
        listen(lambda: True)
        os.write(terminal, b"\t")
        listen(lambda: screen.display[1].strip())
        os.close(terminal)
        os.waitpid(child, 0)
    return screen.display


rows = [row.rstrip() for row in run(*sys.argv[1:])]
print("\n".join(row for row in rows if row))
