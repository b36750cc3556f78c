import Platform

// libFuzzer's own program calls this; Scripts/fuzz.sh builds and runs it. FUZZ_TARGET names the target.

private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.named(name) else {
        print(FuzzTarget.all.map(\.name).joined(separator: "\n"))
        exit(name == "list" ? 0 : 64)
    }
    // What it begins with goes into the directory named here.
    if let directory = getenv("FUZZ_SEEDS").map({ String(cString: $0) }) {
        for (number, seed) in target.seeds().enumerated() {
            guard let file = fopen("\(directory)/seed-\(number)", "w") else { continue }
            fwrite(seed, 1, seed.count, file)
            fclose(file)
        }
        exit(0)
    }
    return target
}()

@_cdecl("LLVMFuzzerInitialize")
public func initializeFuzzer(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutableRawPointer
) -> CInt {
    _ = target
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func runFuzzer(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
