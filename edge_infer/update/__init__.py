"""Updates over TUF (extra `update`): a repository of plain static files is published, and devices update from it.

`artifacts/REPOSITORY.md` describes the repository. The Update Framework: https://theupdateframework.github.io/specification
"""
