# The course in JupyterLab, on a CPU and without root:
#   docker build -t rcnn-tutorial .
#   docker run --rm -p 127.0.0.1:8888:8888 rcnn-tutorial    # then open the address with the token that it prints
FROM python:3.12-slim AS torch
RUN useradd --create-home student
ENV PATH=/home/student/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
USER student
WORKDIR /home/student
RUN python -m venv venv
# PyTorch's CPU builds: without the GPU libraries, which are most of a plain install.
RUN pip install uv && uv pip install --python venv/bin/python --torch-backend=cpu "torch>=2.11" "torchvision>=0.26"

# What .devcontainer builds on: the project itself comes with the folder that VS Code mounts.
FROM torch AS workshop
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
USER student

FROM torch
COPY --chown=student . project
RUN pip install "./project[lab]" && rm -rf project
RUN python -c "from pathlib import Path; from rcnn_tutorial.course.handout import copy_course; copy_course(Path('course'))"
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import os; os.environ['no_proxy'] = '*'; from urllib.request import urlopen; urlopen('http://127.0.0.1:8888/api', timeout=5)"]
CMD ["jupyter", "lab", "--no-browser", "--ip=0.0.0.0", "--port=8888", "--ServerApp.root_dir=/home/student/course", "--LabApp.default_url=/lab/tree/start.ipynb"]
