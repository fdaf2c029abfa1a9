import CommandLineTool
import Engine
import Glibc
import IptablesBackend
import NftablesBackend
import Probe

let tool = Tool { Engine(host: $0, nftables: NftablesBackend(), iptables: IptablesBackend(), probe: NetworkProbe()) }
exit(tool.run(CommandLine.arguments))
