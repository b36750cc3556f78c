/// The version of this package (semver.org). It stands here and nowhere else: the commands, the identification that peers
/// see, the packages and the manuals take it from this line.
package enum ProductVersion {
    package static let text = "0.1.0"
}
