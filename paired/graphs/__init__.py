"""Any framework's graph as one picture: what the framework itself reports, data flowing down.

Four readers turn a framework's own objects into a `Graph`, and `draw` draws it with matplotlib. No
framework is imported here before the caller has done so, and no system program is needed.
"""

from paired.graphs.drawing import draw as draw
from paired.graphs.readers import of_autograd as of_autograd
from paired.graphs.readers import of_fx as of_fx
from paired.graphs.readers import of_onnx as of_onnx
from paired.graphs.readers import of_tf as of_tf
from paired.graphs.structure import Graph as Graph
from paired.graphs.structure import Node as Node
