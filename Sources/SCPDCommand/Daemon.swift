import FileServer
import Files
import Logging
import Platform
import SSHKeys
import SSHServer

/// The server that the command line asks for, from start to stop.
struct Daemon {
    let preparation: Preparation
    let logger: Logger
    private var options: DaemonOptions { preparation.options }

    init(_ preparation: Preparation, logger: Logger) {
        self.preparation = preparation
        self.logger = logger
    }

    /// Serves until a signal to stop arrives.
    func run() async throws {
        let signals = Signals()
        let policy: FilePolicy
        do { policy = try FilePolicy(preparation.policy, logger: logger) } catch { throw StartFailure("\(error)") }
        let server: SSHServer
        do {
            server = try await SSHServer.start(
                on: preparation.listeners, configuration: preparation.configuration, policy: policy,
                handler: preparation.service, logger: logger)
        } catch let error as ServerError {
            throw StartFailure("\(error)")
        }
        tellKeys(preparation.configuration)
        for (address, port) in server.addresses {
            print("scpd: listening on \(address) port \(port)")
        }
        fflush(nil)
        ServiceManager.notify("READY=1")
        await serve(server, policy, signals)
        logger.notice("stopped")
    }

    private func tellKeys(_ configuration: ServerConfiguration) {
        for key in configuration.hostKeys {
            logger.info("host key", metadata: ["key": "\(key.publicKey.type.name) \(key.publicKey.fingerprint())"])
        }
    }

    /// Waits for a signal to stop, and obeys those to read the files again until then.
    private func serve(_ server: SSHServer, _ policy: FilePolicy, _ signals: Signals) async {
        for await number in signals.numbers {
            guard number == SIGHUP else { return await stop(server, signals, first: number) }
            readAgain(server, policy)
        }
    }

    private func readAgain(_ server: SSHServer, _ policy: FilePolicy) {
        policy.forgetFiles()
        do {
            let configuration = try Preparation.configuration(options)
            try server.replace(configuration)
            logger.notice("files read again")
            tellKeys(configuration)
        } catch {
            logger.error("host keys stay as they were", metadata: ["reason": "\(error)"])
        }
    }

    /// Stops; a second signal ends what the first one left going on.
    private func stop(_ server: SSHServer, _ signals: Signals, first: Int32) async {
        let numbers = signals.numbers
        logger.notice("stopping", metadata: ["signal": "\(first)", "connections": "\(server.connectionCount)"])
        ServiceManager.notify("STOPPING=1")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.stop(patience: .seconds(options.stopSeconds)) }
            group.addTask {
                for await number in numbers where number != SIGHUP {
                    logger.notice("ending at once", metadata: ["signal": "\(number)"])
                    return await server.stop(patience: .zero)
                }
            }
            // The second signal's stop is no earlier than the last connection's end.
            await group.next()
            group.cancelAll()
        }
    }
}
