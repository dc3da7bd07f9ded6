"""The files of cases: which files are accepted, how drafts keep them until they are sent, and how messages get them."""
