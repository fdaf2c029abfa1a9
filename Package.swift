// swift-tools-version: 6.2

import PackageDescription

/// Settings that every Swift target shares: strict where the compiler can be.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error, .when(configuration: .debug)),
]

let package = Package(
    name: "ecs-netsetup",
    products: [
        .executable(name: "ecs-netsetup", targets: ["ecs-netsetup"])
    ],
    targets: [
        // The C libraries. Headers only; no C is compiled here.
        .systemLibrary(name: "CLibmnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
        .systemLibrary(name: "CLibnftnl", pkgConfig: "libnftnl", providers: [.apt(["libnftnl-dev"])]),
        .systemLibrary(name: "CLibiptc", pkgConfig: "libiptc", providers: [.apt(["libiptc-dev"])]),

        .systemLibrary(name: "CExtendedAttributes"),
        .systemLibrary(name: "CRenaming"),
        .systemLibrary(name: "CNamespaces"),

        // The house, each module importing only those above it that it names.
        .target(name: "Model", swiftSettings: strict),
        .target(name: "Planning", dependencies: ["Model"], swiftSettings: strict),
        .target(
            name: "NftablesBackend", dependencies: ["Model", "CLibmnl", "CLibnftnl"], swiftSettings: strict),
        .target(name: "IptablesBackend", dependencies: ["Model", "CLibiptc"], swiftSettings: strict),
        .target(name: "Captures", dependencies: ["Model"], swiftSettings: strict),
        .target(name: "Probe", dependencies: ["Model", "CLibmnl", "CNamespaces"], swiftSettings: strict),
        .target(name: "Host", dependencies: ["Model", "CExtendedAttributes", "CRenaming"], swiftSettings: strict),
        .target(name: "Engine", dependencies: ["Model", "Planning", "Host", "Captures"], swiftSettings: strict),
        .target(
            name: "CommandLineTool", dependencies: ["Model", "Planning", "Host", "Engine"],
            swiftSettings: strict),
        .executableTarget(
            name: "ecs-netsetup",
            dependencies: [
                "CommandLineTool", "Engine", "Host", "NftablesBackend", "IptablesBackend", "Planning", "Probe", "Model",
            ],
            swiftSettings: strict),

        // A throw-away ECS host in network namespaces, and what is built on it.
        .target(
            name: "Laboratory", dependencies: ["CNamespaces", "CTracing"], path: "Tests/Laboratory",
            swiftSettings: strict),
        .systemLibrary(name: "CTracing", path: "Tests/CTracing"),
        .executableTarget(name: "try", dependencies: ["Laboratory"], path: "Tests/Try", swiftSettings: strict),
        // A machine with an init system, booted in a container or in a virtual machine.
        .target(
            name: "Guest", dependencies: ["Laboratory"], path: "Tests/Guest", exclude: ["boot", "build"],
            swiftSettings: strict),
        .executableTarget(name: "bench", dependencies: ["Laboratory"], path: "Tests/Bench", swiftSettings: strict),
        .executableTarget(
            name: "faults",
            dependencies: ["Laboratory", "Reliability", "TestSupport", "CTracing", "CExtendedAttributes"],
            path: "Tests/Faults", swiftSettings: strict),
        .executableTarget(
            name: "storm", dependencies: ["Laboratory", "Reliability"], path: "Tests/Storm", swiftSettings: strict),
        // The page that says what held, and a program that puts into it what test suites noted.
        .target(name: "Reliability", path: "Tests/Reliability", swiftSettings: strict),
        .executableTarget(
            name: "publish", dependencies: ["Reliability"], path: "Tests/Publish", swiftSettings: strict),
        // What the sanitizers have to find.
        .executableTarget(name: "control", path: "Tests/Sanitizers/Control", swiftSettings: strict),

        .target(
            name: "TestSupport", dependencies: ["Planning", "Host", "Model", "CExtendedAttributes"],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(name: "ModelTests", dependencies: ["Model"]),
        .testTarget(name: "ProbeTests", dependencies: ["Probe", "Model"]),
        .testTarget(name: "PlanningTests", dependencies: ["TestSupport", "Planning", "Model"]),
        .testTarget(
            name: "HostTests", dependencies: ["TestSupport", "Laboratory", "Host", "Model", "CExtendedAttributes"]),
        .testTarget(name: "EngineTests", dependencies: ["TestSupport", "Engine", "Host", "Planning", "Model"]),
        .testTarget(
            name: "NftablesBackendTests",
            dependencies: ["TestSupport", "NftablesBackend", "Planning", "Model", "CLibnftnl", "CLibmnl"]),
        .testTarget(
            name: "IptablesBackendTests",
            dependencies: ["TestSupport", "IptablesBackend", "Planning", "Model", "CLibiptc"]),
        .testTarget(name: "CapturesTests", dependencies: ["TestSupport", "Captures", "Planning", "Model"]),
        .testTarget(
            name: "CommandLineToolTests",
            dependencies: [
                "TestSupport", "Laboratory", "Reliability", "CommandLineTool", "Engine", "Captures", "Planning",
                "Model",
            ]),
        .testTarget(
            name: "ImageTests", dependencies: ["Laboratory", "TestSupport"], exclude: ["Golden"]),
        .testTarget(name: "PackagingTests", dependencies: ["Laboratory", "TestSupport"]),
        .testTarget(name: "DockerTests", dependencies: ["Laboratory", "TestSupport", "CNamespaces"]),
        .testTarget(
            name: "LiveTests",
            dependencies: [
                "Laboratory", "TestSupport", "NftablesBackend", "IptablesBackend", "Captures", "Planning", "Model",
            ]),
        .testTarget(name: "BootTests", dependencies: ["Guest", "Laboratory"]),
        .testTarget(
            name: "FleetTests", dependencies: ["Guest", "Laboratory", "TestSupport"],
            exclude: ["aws.py", "requirements.txt", "ssm-command.schema.json", "ssm.py"]),
    ],
    swiftLanguageModes: [.v6]
)

// Linked with libFuzzer, which brings the main function: `make fuzz` asks for it.
if Context.environment["ECS_NETSETUP_FUZZ"] != nil {
    package.products.append(.executable(name: "fuzz", targets: ["fuzz"]))
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["CommandLineTool", "Captures", "Planning", "Model"], path: "Tests/Fuzz",
            exclude: ["Corpus", "run"],
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
