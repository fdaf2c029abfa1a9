import CommandLineTool
import Engine
import Glibc
import IptablesBackend
import NftablesBackend

let tool = Tool { Engine(host: $0, nftables: NftablesBackend(), iptables: IptablesBackend()) }
exit(tool.run(CommandLine.arguments))
