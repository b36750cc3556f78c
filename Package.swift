// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// A module whose asynchronous functions run where their caller does, so that one actor can use them without a change of threads.
func sharedModule(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies,
        swiftSettings: settings + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")])
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let metricsTestKit: Target.Dependency = .product(name: "MetricsTestKit", package: "swift-metrics")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")

// With FUZZ set (Scripts/fuzz.sh), the targets of FuzzTests are linked with libFuzzer's own program in place of a test.
let fuzzing: Target = {
    let modules: [Target.Dependency] = [
        "Platform", "SSHWire", "SSHCrypto", "SSHKeys", "SSHProtocol", "SSHConfig", "SCP", "SFTP", "CopyEngine",
        "FileServer",
        nioCore, crypto,
    ]
    if Context.environment["FUZZ"] != nil {
        return .executableTarget(
            name: "Fuzz", dependencies: modules, path: "Tests/FuzzTests", exclude: ["ReplayTests.swift"],
            swiftSettings: settings)
    }
    return .testTarget(
        name: "FuzzTests", dependencies: modules + ["TestSupport"], exclude: ["Fuzz.swift"], swiftSettings: settings)
}()

// Lowest floor first; a target imports only floors above it in this list (docs/architecture.md).
let package = Package(
    name: "swift-scp",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "SSHClient", targets: ["SSHClient", "SSHConfig"]),
        .library(name: "SSHServer", targets: ["SSHServer"]),
        .library(name: "SCP", targets: ["SCP"]),
        .library(name: "SFTP", targets: ["SFTP"]),
        .library(name: "CopyEngine", targets: ["CopyEngine", "Files"]),
        .library(name: "RemoteHosts", targets: ["RemoteHosts"]),
        .library(name: "FileServer", targets: ["FileServer", "Files"]),
        .executable(name: "scp", targets: ["Commands"]),
        .executable(name: "scpd", targets: ["Commands"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    ],
    targets: [
        .target(name: "CSystemCalls"),
        module("Platform", ["CSystemCalls"]),
        module("SSHWire", ["Platform", nioCore]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        module("SSHCrypto", ["Platform", "SSHWire", "CZlib", nioCore, crypto, cryptoExtras]),
        module("SSHKeys", ["Platform", "SSHWire", "SSHCrypto", nioCore, crypto, cryptoExtras]),
        module("SSHProtocol", ["SSHWire", "SSHCrypto", "SSHKeys", nioCore]),
        module("SSHNIO", ["Platform", "SSHWire", "SSHProtocol", nioCore, nioLocks, nioPosix]),
        module("CommandOptions", ["SSHWire"]),
        module("SSHConfig", ["Platform", "SSHWire", "SSHCrypto", "SSHKeys", "SSHNIO", nioCore]),
        module(
            "SSHClient",
            [
                "Platform", "SSHWire", "SSHCrypto", "SSHKeys", "SSHProtocol", "SSHNIO", "SSHConfig", nioCore, nioPosix,
                nioLocks,
            ]),
        module(
            "SSHServer",
            [
                "Platform", "SSHWire", "SSHCrypto", "SSHKeys", "SSHProtocol", "SSHNIO", nioCore, nioLocks, nioPosix,
                crypto, cryptoExtras, logging, metrics,
            ]),
        module("SCP", ["SSHWire", nioCore]),
        module("SFTP", ["SSHWire", nioCore]),
        module("Files", ["Platform", "SSHWire", nioCore, nioPosix, crypto]),
        sharedModule(
            "CopyEngine", ["Platform", "SSHWire", "SCP", "SFTP", "Files", nioCore, nioPosix, crypto]),
        module("RemoteHosts", ["SSHWire", "SSHNIO", "SSHClient", "SFTP", "CopyEngine", nioCore]),
        module(
            "FileServer",
            [
                "Platform", "SSHWire", "SSHKeys", "SSHNIO", "SSHServer", "SCP", "SFTP", "Files", nioCore, crypto,
                logging, metrics,
            ]),
        module(
            "SCPCommand",
            [
                "Platform", "CommandOptions", "SSHWire", "SSHKeys", "SSHConfig", "SSHClient", "SFTP", "SCP", "Files",
                "CopyEngine", "RemoteHosts", "FileServer", nioCore,
            ]),
        module(
            "SCPDCommand",
            [
                "Platform", "CommandOptions", "SSHWire", "SSHCrypto", "SSHKeys", "SSHNIO", "SSHServer", "Files",
                "FileServer", nioCore, nioPosix, logging, metrics,
            ]),
        .executableTarget(name: "Commands", dependencies: ["SCPCommand", "SCPDCommand"], swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["Platform", "SSHWire", "Files", "CopyEngine", nioCore],
            path: "Tests/TestSupport",
            swiftSettings: settings),
        .executableTarget(
            name: "LinkEmulator", path: "Benchmarks/LinkEmulator", swiftSettings: settings),
        tests("LinkEmulatorTests", ["LinkEmulator"]),
        fuzzing,
        tests("PlatformTests", ["Platform", "CSystemCalls", "TestSupport"]),
        tests("SSHWireTests", ["SSHWire", "TestSupport", nioCore]),
        tests("CommandOptionsTests", ["CommandOptions", "SSHWire"]),
        tests("SSHCryptoTests", ["SSHCrypto", "SSHWire", "TestSupport", nioCore, crypto]),
        tests("SSHKeysTests", ["SSHKeys", "SSHWire", "TestSupport", nioCore, crypto]),
        tests("SSHProtocolTests", ["SSHProtocol", "SSHCrypto", "SSHKeys", "SSHWire", "TestSupport", nioCore]),
        tests(
            "SSHNIOTests",
            ["Platform", "SSHNIO", "SSHProtocol", "SSHKeys", "SSHWire", "TestSupport", nioCore, nioPosix]),
        tests("SSHConfigTests", ["Platform", "SSHConfig", "SSHKeys", "TestSupport"]),
        tests(
            "SSHClientTests",
            [
                "Platform", "SSHClient", "SSHConfig", "SSHNIO", "SSHProtocol", "SSHKeys", "SSHWire", "TestSupport",
                nioCore, nioPosix,
            ]),
        tests(
            "SSHServerTests",
            [
                "Platform", "SSHServer", "SSHClient", "SSHConfig", "SSHNIO", "SSHProtocol", "SSHCrypto", "SSHKeys",
                "SSHWire", "TestSupport", nioCore, nioEmbedded, nioPosix, nioLocks, crypto, logging,
            ]),
        tests("SCPTests", ["SCP", "SSHWire", "TestSupport", nioCore]),
        tests("FilesTests", ["Platform", "Files", "TestSupport", nioCore]),
        tests("SFTPTests", ["SFTP", "SSHWire", "TestSupport", nioCore]),
        tests(
            "CopyEngineTests",
            ["Platform", "CopyEngine", "Files", "SCP", "SFTP", "SSHWire", "TestSupport", nioCore]),
        tests(
            "FileServerTests",
            [
                "Platform", "FileServer", "Files", "SSHServer", "SSHClient", "SSHConfig", "SSHNIO", "CopyEngine",
                "SFTP", "SCP", "SSHWire", "SSHKeys", "TestSupport", nioCore, nioPosix, metricsTestKit, metrics, logging,
            ]),
        tests(
            "SCPCommandTests",
            [
                "CommandOptions", "Platform", "SCPCommand", "RemoteHosts", "CopyEngine", "Files", "SSHClient",
                "SSHConfig", "SSHNIO", "TestSupport",
            ]),
        tests(
            "RemoteHostsTests",
            ["RemoteHosts", "CopyEngine", "SFTP", "SSHClient", "SSHNIO", "SSHProtocol", "SSHWire"]),
        tests("SCPDCommandTests", ["Platform", "CommandOptions", "SCPDCommand", "SSHServer", "TestSupport", logging]),
        tests(
            "InteropTests",
            [
                "CSystemCalls", "Platform", "SSHClient", "SSHConfig", "SSHNIO", "SSHCrypto", "SSHKeys", "SFTP",
                "TestSupport",
                nioCore,
            ]),
    ],
    swiftLanguageModes: [.v6]
)
