"""What a classifier looks at in a whole data set, label by label: a report for people.

A program beside the server, which imports none of it; of `explain`, this package and the commands alone import `data`.
"""
