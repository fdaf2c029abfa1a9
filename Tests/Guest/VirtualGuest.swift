import Glibc
import Laboratory

/// A guest as a virtual machine: its own kernel instead of the machine's, on a disk that keeps what it writes. It has no
/// network card.
package final class VirtualGuest: Sendable {
    private let folder: String

    /// Makes a disk of a guest's tree.
    package init(_ guest: Guest) throws {
        let made = try Guest.require(["mktemp", "--directory", "/tmp/ecs-netsetup-machine.XXXXXX"])
        folder = made.filter { $0 != "\n" }
        try guest.inTree(
            """
            cp "$root"/boot/vmlinuz-* "$1/vmlinuz"
            cp "$root"/boot/initrd.img-* "$1/initrd"
            mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$1/disk" 3G
            """, [folder])
    }

    deinit { _ = try? Machine.execute(["rm", "-rf", folder]) }

    /// Boots it, and waits until it shuts itself down.
    ///
    /// - Throws: that it does not within so many seconds, with what it printed.
    package func boot(seconds: Int = 1200) throws {
        // Emulated, which goes everywhere: /dev/kvm of a machine that is virtual itself may be there and not work.
        let result = try Machine.execute([
            "timeout", "--signal=KILL", "\(seconds)", "qemu-system-x86_64", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", "2", "-m", "1536",
            "-kernel", "\(folder)/vmlinuz", "-initrd", "\(folder)/initrd",
            "-append", "root=/dev/vda rw console=ttyS0 apparmor=0 panic=-1",
            "-drive", "file=\(folder)/disk,format=raw,if=virtio,cache=unsafe",
            "-nic", "none", "-display", "none", "-no-reboot", "-serial", "stdio",
        ])
        guard result.status == 0 else {
            throw LaboratoryError("the virtual machine: status \(result.status): \(result.errors)\n\(result.output)")
        }
    }

    /// What stands in a file of its disk, while it is not booted. debugfs(8).
    package func read(_ path: String) throws -> String {
        let result = try Machine.execute(["debugfs", "-R", "cat \(path)", "\(folder)/disk"])
        guard result.status == 0, !result.errors.contains("File not found") else {
            throw LaboratoryError("\(path) of the virtual machine: \(result.errors)")
        }
        return result.output
    }
}
