import NIOCore
import NIOPosix
import Platform
import Testing

@testable import SSHNIO

@Suite struct CongestionControlTests {
    @Test(arguments: ["bbr", "cubic", "dctcp", "bpf_cubic", "a-b_c9"])
    func namesAreTakenAsTheyAre(_ name: String) { #expect(CongestionControl(name)?.name == name) }

    @Test(arguments: ["", "BBR", "b br", "b\u{0}", "é", "sixteen_letters_"])
    func otherTextIsNoName(_ name: String) { #expect(CongestionControl(name) == nil) }

    #if os(Linux)
        @Test func aConnectionGetsTheOneThatIsNamed() async throws {
            try await withConnection { channel in
                // The one that every Linux has and allows everybody.
                let reno = try #require(CongestionControl("reno"))
                #expect(await reno.set(on: channel) == nil)
                #expect(try await name(of: channel) == "reno")
            }
        }

        @Test func oneThatTheSystemDoesNotHaveIsSaidAndChangesNothing() async throws {
            try await withConnection { channel in
                let before = try await name(of: channel)
                let unknown = try #require(CongestionControl("no_such_control"))
                #expect(await unknown.set(on: channel) == "the system has none of that name")
                #expect(try await name(of: channel) == before)
            }
        }

        private func name(of channel: any Channel) async throws -> String {
            let socket = try #require(channel as? any SocketOptionProvider)
            let value: (UInt64, UInt64) = try await socket.unsafeGetSocketOption(
                level: .tcp, name: .init(rawValue: TCP_CONGESTION)
            ).get()
            return withUnsafeBytes(of: value) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }

        private func withConnection(_ body: (any Channel) async throws -> Void) async throws {
            let group = MultiThreadedEventLoopGroup.singleton
            let listener = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
            let address = try #require(listener.localAddress)
            let channel = try await ClientBootstrap(group: group).connect(to: address).get()
            do {
                try await body(channel)
            } catch {
                try? await channel.close()
                try? await listener.close()
                throw error
            }
            try await channel.close()
            try await listener.close()
        }
    #endif
}
