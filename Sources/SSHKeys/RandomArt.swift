import Crypto

extension PublicKey {
    /// A picture of the key's fingerprint, to be recognised at a glance, as `ssh-keygen -lv` draws it.
    ///
    /// A bishop walks over a board of 17 by 9 fields, two bits of the hash for each step, and leaves a mark that grows with
    /// every visit (Loss, Limmer, von Gernler, "The drunken bishop", 2009). `S` and `E` are its start and end.
    public func randomArt(_ hash: FingerprintHash = .sha256) -> String {
        let (width, height) = (17, 9)
        let marks = Array(" .o+=*BOX@%&#/^")
        var visits = [Int](repeating: 0, count: width * height)
        let start = (x: width / 2, y: height / 2)
        var (x, y) = start
        for byte in digest(hash) {
            for shift in [0, 2, 4, 6] as [UInt8] {
                let step = byte >> shift
                x = min(max(x + (step & 1 == 1 ? 1 : -1), 0), width - 1)
                y = min(max(y + (step & 2 == 2 ? 1 : -1), 0), height - 1)
                visits[y * width + x] += 1
            }
        }
        var lines = [Self.border("[\(type.shortName) \(bitCount)]", width)]
        for row in 0..<height {
            var line = "|"
            for column in 0..<width {
                if (column, row) == (x, y) {
                    line += "E"
                } else if (column, row) == start {
                    line += "S"
                } else {
                    line.append(marks[min(visits[row * width + column], marks.count - 1)])
                }
            }
            lines.append(line + "|")
        }
        lines.append(Self.border("[\(hash.rawValue.uppercased())]", width))
        return lines.joined(separator: "\n")
    }

    private func digest(_ hash: FingerprintHash) -> [UInt8] {
        switch hash {
        case .sha256: Array(SHA256.hash(data: blobBytes))
        case .md5: Array(Insecure.MD5.hash(data: blobBytes))
        }
    }

    /// A line of the frame with a title in its middle.
    private static func border(_ title: String, _ width: Int) -> String {
        let before = max(0, width - title.count) / 2
        let after = max(0, width - title.count - before)
        return "+" + String(repeating: "-", count: before) + title + String(repeating: "-", count: after) + "+"
    }
}
