-- Searches know no vowel points of Arabic and Hebrew: the search texts are brought under that rule.

UPDATE taskflow_search_refolds SET after = '';
