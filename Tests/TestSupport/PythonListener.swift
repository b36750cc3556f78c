/// A function for scripts in Python. It ends a script whose port somebody has by words that `Peer.start` knows.
let pythonListener = #"""
    import socket


    def listen(address, port):
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, int(port)))
        except OSError as error:
            raise SystemExit("address in use: %s" % error)
        listener.listen(100)
        return listener
    """#
