print("scp")
