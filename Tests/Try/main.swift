import Glibc
import Laboratory

guard getuid() == 0 else {
    print("make try makes network namespaces and needs root: sudo make try")
    exit(2)
}

print("A throw-away ECS host of network namespaces: docker0 and \(Laboratory.userBridge) with a container each,")
print("a stub agent on 127.0.0.1:51679, a stub IMDS, a neighbour. No route leads out of it.")
do {
    try Show().run()
    print("\nThe namespaces are gone; nothing on this machine was changed.")
} catch {
    print("make try: \(error)")
    exit(1)
}
