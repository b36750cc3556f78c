@main
struct SCPDMain {
    static func main() {}
}
