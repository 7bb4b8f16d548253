"""What is published on a cluster, as a dictionary."""

import collections.abc


class Datasets(collections.abc.MutableMapping):
    """The published values of a client's run by their names: see `Client.publish_dataset`."""

    def __init__(self, client):
        self._client = client

    def __getitem__(self, name):
        return self._client.get_dataset(name)

    def __setitem__(self, name, value):
        if name in self:
            del self[name]
        self._client.publish_dataset(value, name=name)

    def __delitem__(self, name):
        self._client.unpublish_dataset(name)

    def __contains__(self, name):
        return name in self._client.list_datasets()

    def __iter__(self):
        return iter(self._client.list_datasets())

    def __len__(self):
        return len(self._client.list_datasets())

    def __repr__(self):
        return f"<Datasets: {', '.join(sorted(self))}>"
