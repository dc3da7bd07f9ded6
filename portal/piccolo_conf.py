"""Where Piccolo looks for the engine and the app."""

from piccolo.conf.apps import AppRegistry

from portal.database import engine

DB = engine
APP_REGISTRY = AppRegistry(apps=["portal.piccolo_app"])
