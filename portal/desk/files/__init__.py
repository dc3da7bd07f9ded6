"""Files of cases: which files are accepted, how drafts keep them until they are sent, and how messages take them."""
