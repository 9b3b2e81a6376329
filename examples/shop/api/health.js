const { status } = await fetch(`http://127.0.0.1:${process.argv[2]}`)
process.exit(status === 200 ? 0 : 1)
