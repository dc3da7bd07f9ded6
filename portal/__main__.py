"""The command `portal`."""


def main() -> None:
    raise SystemExit("usage: portal COMMAND")


if __name__ == "__main__":
    main()
