# Untried: nobody has compiled swift-scp on macOS yet, and there is no release at this address.
class SwiftScp < Formula
  desc "Copy files over SSH, and serve them"
  homepage "https://github.com/swift-scp/swift-scp"
  url "https://github.com/swift-scp/swift-scp/archive/refs/tags/0.1.0.tar.gz"
  license "Apache-2.0"

  depends_on xcode: ["26.0", :build]
  depends_on macos: :sequoia

  def install
    system "Scripts/build.sh", "--release", "--disable-sandbox", "--product", "scp"
    ENV["PREFIX"] = prefix
    ENV["SCP_NAME"] = "swift-scp"
    system "Scripts/install.sh", "install"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/swift-scp --version")
  end
end
