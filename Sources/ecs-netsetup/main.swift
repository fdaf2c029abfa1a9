import CommandLineTool
import Engine
import Glibc
import Host
import IptablesBackend
import NftablesBackend

let engine = Engine(host: Host(), nftables: NftablesBackend(), iptables: IptablesBackend())
exit(Tool(engine: engine).run(CommandLine.arguments))
