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

        // The house, each module importing only those above it that it names.
        .target(name: "Model", swiftSettings: strict),
        .target(name: "Planning", dependencies: ["Model"], swiftSettings: strict),
        .target(
            name: "NftablesBackend", dependencies: ["Model", "CLibmnl", "CLibnftnl"], swiftSettings: strict),
        .target(name: "IptablesBackend", dependencies: ["Model", "CLibiptc"], swiftSettings: strict),
        .target(name: "Host", dependencies: ["Model"], swiftSettings: strict),
        .target(name: "Engine", dependencies: ["Model", "Planning", "Host"], swiftSettings: strict),
        .target(
            name: "CommandLineTool", dependencies: ["Model", "Planning", "Host", "Engine"],
            swiftSettings: strict),
        .executableTarget(
            name: "ecs-netsetup",
            dependencies: [
                "CommandLineTool", "Engine", "Host", "NftablesBackend", "IptablesBackend", "Planning", "Model",
            ],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
