"""Write anew what is generated in the manual: `make manual`."""

from tests.manual import http_page, settings_table

http_page.write()
settings_table.write()
