"""Files of cases: which ones are accepted, how drafts keep them until they are sent, and how messages get them."""
