"""What this machine can and cannot run, and what to do: `edge-infer doctor`, or `python -m edge_infer.doctor`.

It is for machines where something is missing. So nothing here imports more than Python's own library at its top, and
the code keeps to what Python 3.8 understands; whatever may crash runs in a process of its own (`trials`).
"""
