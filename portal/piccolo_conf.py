"""Piccolo's configuration: the database engine and the app registry."""

from piccolo.conf.apps import AppRegistry

from portal.database import engine

DB = engine
APP_REGISTRY = AppRegistry(apps=["portal.piccolo_app"])
