"""One violation as a zip file that a third party can check without this program."""
